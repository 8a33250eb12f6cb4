"""Phonemes, as espeak-ng says them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.nano.phonemes import STRESS, load_phonemes, phonemize


@pytest.mark.usefixtures("espeak")
def test_words_become_their_sounds_without_stress() -> None:
    dog, heart, together = phonemize(["dog", "heart", "dog heart"])

    assert (dog[0], dog[-1]) == ("d", "ɡ")
    assert heart == ("h", "ɑːɹ", "t")
    assert together == (*dog, " ", *heart)


@pytest.mark.usefixtures("espeak")
def test_every_phrase_has_sounds_in_its_place() -> None:
    phrases = ["umbrella", "côte d'ivoire", "zōri", "o'clock", "a b c d e f"]
    sounds = phonemize(phrases)

    assert len(sounds) == len(phrases)
    assert all(sounds)
    assert not any(symbol == "" or set(symbol) & {*STRESS, "_", "\n"} for phrase in sounds for symbol in phrase)


def test_nothing_to_say_needs_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert phonemize([]) == []


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Letters instead of phonemes; the list is of all that was asked for."""
    asked: list[str] = []

    def spell(phrases: list[str]) -> list[tuple[str, ...]]:
        asked.extend(phrases)
        return [tuple(phrase) for phrase in phrases]

    monkeypatch.setattr("training.nano.phonemes.phonemize", spell)
    return asked


def test_each_phrase_is_asked_for_once(letters: list[str], tmp_path: Path) -> None:
    assert load_phonemes(tmp_path / "work", ["dog", "cat", "dog"]) == {"dog": tuple("dog"), "cat": tuple("cat")}
    load_phonemes(tmp_path / "work", ["cat", "bee"])

    assert letters == ["dog", "cat", "bee"]


def test_what_was_ever_asked_for_stays_known(letters: list[str], tmp_path: Path) -> None:
    load_phonemes(tmp_path, ["dog", "cat"])

    assert set(load_phonemes(tmp_path, ["bee"])) == {"dog", "cat", "bee"}
    assert load_phonemes(tmp_path, [])["cat"] == ("c", "a", "t")


def test_sounds_are_kept_whole_or_not_at_all(
    letters: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load_phonemes(tmp_path, ["dog"])

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            load_phonemes(tmp_path, ["cat"])

    assert json.loads((tmp_path / "phonemes.json").read_text(encoding="utf-8")) == {"dog": ["d", "o", "g"]}
    assert set(load_phonemes(tmp_path, ["cat"])) == {"dog", "cat"}
