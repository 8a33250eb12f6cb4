"""The figures of the model card."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.audio_files import encode
from tests.training.fake_people import write_people
from tests.training.fake_voices import Hum, Wave, tone
from training.nano.conditions import CONDITIONS
from training.nano.evaluate import (
    HELD_OUT_WORDS,
    animals_of_another_person,
    digits_of_a_person,
    drawings_gallery,
    figures,
    held_out_voice,
    keywords_gallery,
    slot_figures,
    words_of_a_person,
)
from training.nano.lexicon import Emoji, Lexicon
from training.nano.program_voices import HELD_OUT


class HumAs(Hum):
    """flite, humming; remembers with which voices."""

    voices: tuple[str, ...] = ()

    def __init__(self, voices: tuple[str, ...]) -> None:
        type(self).voices = voices


@pytest.fixture
def flite(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("training.nano.evaluate.Flite", HumAs)
    held_out_voice.cache_clear()
    yield
    held_out_voice.cache_clear()


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHCLIP_HUMAN_SPEECH", str(write_people(tmp_path / "people")))


@pytest.mark.usefixtures("people")
def test_words_that_name_nothing_do_not_count(lexicon: Lexicon) -> None:
    trial = words_of_a_person(lexicon)

    assert trial is not None
    assert trial.phrases == ["dog", "heart"]
    np.testing.assert_allclose(trial.waves[0], tone("dog", 0.3), atol=1e-3)


@pytest.mark.usefixtures("people")
def test_digits_are_those_of_the_speaker_that_was_left_out(lexicon: Lexicon) -> None:
    trial = digits_of_a_person(lexicon)

    assert trial is not None
    assert trial.phrases == ["one", "two"]
    assert [len(wave) for wave in trial.waves] == [0.45 * 16_000, 0.5 * 16_000]


def test_without_recordings_there_is_no_trial_of_people(lexicon: Lexicon) -> None:
    assert words_of_a_person(lexicon) is None
    assert digits_of_a_person(lexicon) is None


def test_animals_are_those_that_the_lexicon_knows(
    lexicon: Lexicon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.nano.stamps.STAMPS", tmp_path)
    assert animals_of_another_person(lexicon) is None

    (tmp_path / "mammals").mkdir()
    for name in ("dog_desc.ogg", "yak_desc.ogg", "dog_desc_fr.ogg", "cat.ogg"):
        (tmp_path / "mammals" / name).write_bytes(encode(tone(name, 0.4), 16_000, "wav-16"))
    trial = animals_of_another_person(lexicon)

    assert trial is not None
    assert trial.phrases == ["dog"]
    assert len(trial.waves[0]) == pytest.approx(0.4 * 16_000, abs=400)


@pytest.mark.usefixtures("flite")
def test_the_held_out_voice_says_single_words_and_the_same_each_time(lexicon: Lexicon) -> None:
    trial = held_out_voice(lexicon)
    held_out_voice.cache_clear()
    again = held_out_voice(lexicon)

    assert trial is not None
    assert again is not None
    assert HumAs.voices == (HELD_OUT,)
    assert sorted(trial.phrases) == sorted(phrase for phrase in lexicon.phrases if " " not in phrase)
    assert again.phrases == trial.phrases
    assert all(np.array_equal(one, other) for one, other in zip(trial.waves, again.waves, strict=True))


@pytest.mark.usefixtures("flite")
def test_of_many_words_some_are_drawn() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    lexicon = Lexicon([Emoji(a + b, "", a + b, ()) for a in letters for b in letters])
    trial = held_out_voice(lexicon)

    assert trial is not None
    assert len(set(trial.phrases)) == len(trial.phrases) == HELD_OUT_WORDS


def test_without_flite_there_is_no_held_out_voice(lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    held_out_voice.cache_clear()

    assert held_out_voice(lexicon) is None
    held_out_voice.cache_clear()


def test_answers_of_drawings_are_the_rows_that_show_what_is_named(lexicon: Lexicon) -> None:
    shown = np.array([2, 0])
    gallery = drawings_gallery("noto", np.eye(2, dtype=np.float32), shown, lexicon)

    for phrase, members in lexicon.members.items():
        assert sorted(shown[row] for row in gallery.answers[phrase]) == sorted(set(members) & {0, 2})


def test_the_answer_of_keywords_is_the_phrase_itself(lexicon: Lexicon) -> None:
    gallery = keywords_gallery(np.eye(len(lexicon.phrases), dtype=np.float32), lexicon)

    assert [lexicon.phrases[row] for phrase in lexicon.phrases for row in gallery.answers[phrase]] == [*lexicon.phrases]


@pytest.mark.usefixtures("people", "flite")
def test_all_figures_are_there_and_other_drawings_are_asked_for_words(lexicon: Lexicon) -> None:
    positions = np.arange(len(lexicon.emoji))
    vectors = np.eye(len(positions), dtype=np.float32)

    def always_the_dog(waves: Sequence[Wave]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.repeat(vectors[:1], len(waves), axis=0)

    galleries = [
        drawings_gallery("noto", vectors, positions, lexicon),
        drawings_gallery("twemoji", vectors[:1], positions[:1], lexicon),
    ]
    found = figures(lexicon, galleries, always_the_dog)

    assert set(found) == {
        *("words in noto", "digits in noto", "held-out voice in noto", "words in twemoji"),
        *(f"words {condition} in noto" for condition in CONDITIONS),
    }
    assert (found["words in noto"].utterances, found["words in noto"].at) == (2, {1: 50.0, 5: 100.0, 10: 100.0})
    assert (found["words in twemoji"].utterances, found["words in twemoji"].at) == (1, {1: 100.0, 5: 100.0, 10: 100.0})
    assert (found["digits in noto"].utterances, found["digits in noto"].at) == (2, {1: 0.0, 5: 100.0, 10: 100.0})


@pytest.mark.usefixtures("people", "flite")
def test_a_word_is_found_by_the_slot_that_is_nearest_to_it(lexicon: Lexicon) -> None:
    directions = np.eye(len(lexicon.phrases), dtype=np.float32)
    slots = [directions[lexicon.phrases.index(word)] for word in ("heart", "dog")]

    found = slot_figures(lexicon, directions, lambda waves: [slots] * len(waves))
    assert set(found) == {
        *("words in slots", "digits in slots", "held-out voice in slots"),
        *(f"words {condition} in slots" for condition in CONDITIONS),
    }
    # Both words are as near as can be; ties go to the one that the lexicon has first.
    assert (found["words in slots"].utterances, found["words in slots"].at) == (2, {1: 50.0, 5: 100.0, 10: 100.0})
    assert found["digits in slots"].at[1] == 0.0


@pytest.mark.usefixtures("people", "flite")
def test_where_no_slot_heard_anything_no_word_is_nearer_than_another(lexicon: Lexicon) -> None:
    directions = np.eye(len(lexicon.phrases), dtype=np.float32)
    first = lexicon.phrases.index("dog") == 0

    found = slot_figures(lexicon, directions, lambda waves: [[] for _ in waves])
    assert found["words in slots"].at[1] == (50.0 if first else 0.0)


def test_without_speech_there_are_no_figures(lexicon: Lexicon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    held_out_voice.cache_clear()

    gallery = drawings_gallery("noto", np.eye(1, dtype=np.float32), np.array([0]), lexicon)
    assert figures(lexicon, [gallery], lambda waves: np.zeros((len(waves), 1), np.float32)) == {}
