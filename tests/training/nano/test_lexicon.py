"""The lexicon: what may be said, and what it names."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.fake_packages import SHOWN
from training.errors import NotReady
from training.nano.lexicon import (
    MAX_WORDS,
    PACKAGES,
    Lexicon,
    drawing_id,
    fetch_packages,
    load_lexicon,
    package_folder,
    speakable,
)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("Dog Face", "dog face"),
        ("keycap: 10", "ten"),
        ("7", "seven"),
        ("flag: Côte d’Ivoire", "côte d'ivoire"),
        ("A button (blood type)", "a button blood type"),
        ("rock & roll", "rock and roll"),
        ("seven-thirty", "seven thirty"),
        ("5 o’clock", "five o'clock"),
        ("“free” button", "free button"),
        ("St. Nicholas, old", "st nicholas old"),
        ("  wide   open  ", "wide open"),
        ("собака", "собака"),
    ],
)
def test_labels_are_said_as_people_would(label: str, said: str) -> None:
    assert speakable(label) == said


@pytest.mark.parametrize(
    "label",
    ["", "   ", "+1", "<3", "143", "keycap: *", "1st place", "o'", "'", "-", "ON!", "a_b", "a b c d e f g", "\x00"],
)
def test_what_is_not_made_of_words_is_not_said(label: str) -> None:
    assert speakable(label) is None


@given(st.text())
def test_whatever_is_said_is_a_few_lower_case_words(label: str) -> None:
    said = speakable(label)

    assert said is None or (1 <= len(said.split(" ")) <= MAX_WORDS and not any(c.isdigit() or c in "-:_" for c in said))


def test_the_lexicon_holds_what_is_spoken_of_in_the_order_of_the_package(lexicon: Lexicon) -> None:
    assert [emoji.id for emoji in lexicon.emoji] == [drawing_id(drawn.hexcode) for drawn in SHOWN]
    assert lexicon.emoji[2].phrases == ("red heart", "heart", "love")
    assert lexicon.emoji[3].phrases == ("one",)


def test_a_phrase_names_everything_it_is_a_name_or_keyword_of(lexicon: Lexicon) -> None:
    assert lexicon.members["pet"] == (0, 1)
    assert lexicon.members["dog face"] == (0,)
    assert lexicon.members["man's seven thirty"] == (5,)


def test_phrases_are_sorted_and_each_there_once(lexicon: Lexicon) -> None:
    assert list(lexicon.phrases) == sorted(set(lexicon.phrases))
    assert set(lexicon.phrases) == {phrase for emoji in lexicon.emoji for phrase in emoji.phrases}


def test_missing_packages_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="fetch the packages first"):
        load_lexicon(tmp_path)


def test_all_packages_agree_on_the_name_of_a_drawing() -> None:
    assert drawing_id("2764-FE0F") == drawing_id("2764") == "2764"
    assert drawing_id("0031-FE0F-20E3") == "0031-20e3"


@pytest.mark.parametrize(
    ("spec", "folder"),
    [("@iconify-json/noto@1.2.9", "noto"), ("openmoji@17.0.0", "openmoji"), ("plain", "plain"), ("@a/b", "b")],
)
def test_a_package_is_unpacked_into_a_folder_of_its_name(spec: str, folder: str) -> None:
    assert package_folder(spec) == folder


def test_every_package_is_pinned_and_has_a_folder_of_its_own() -> None:
    assert all("@" in spec.removeprefix("@") for spec in PACKAGES)
    assert len({package_folder(spec) for spec in PACKAGES}) == len(PACKAGES)


class FakeNpm:
    """`npm pack`: leaves an archive with one file, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, command: list[str], *, cwd: str, **_: object) -> None:
        spec = command[-1]
        self.asked.append(spec)
        content = Path(cwd, "package.json")
        content.write_text(json.dumps({"name": spec}), encoding="utf-8")
        with tarfile.open(Path(cwd, "fetched.tgz"), "w:gz") as tar:
            tar.add(content, "package/package.json")


@pytest.fixture
def npm(monkeypatch: pytest.MonkeyPatch) -> FakeNpm:
    fake = FakeNpm()
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", fake.run)
    return fake


def test_packages_are_fetched_once_and_leave_nothing_else_behind(npm: FakeNpm, tmp_path: Path) -> None:
    fetch_packages(tmp_path / "packages")
    fetch_packages(tmp_path / "packages")

    assert npm.asked == list(PACKAGES)
    assert {path.name for path in (tmp_path / "packages").iterdir()} == {package_folder(spec) for spec in PACKAGES}
    assert "noto-v1" in (tmp_path / "packages" / "noto-v1" / "package.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("npm error code E404\nnpm error 404 Not Found - GET http://here/\nnpm error more", "404 Not Found - GET http"),
        ("npm ERR! errno -28\nnpm ERR! nospc ENOSPC: no space left on device", "nospc ENOSPC: no space left on device"),
        ("", "it did not say why"),
    ],
)
def test_npm_is_heard_when_it_fails(
    said: str, reason: str, npm: FakeNpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, command, stderr=said)

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(NotReady, match=f"npm could not fetch emojibase-data@17.0.0: {reason}"):
        fetch_packages(tmp_path / "packages")
    assert list((tmp_path / "packages").iterdir()) == []


def test_without_npm_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)

    with pytest.raises(NotReady, match="install npm first"):
        fetch_packages(tmp_path)
