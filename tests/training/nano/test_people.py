"""Recordings of real people, and who of them is never trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.fake_people import said, write_people
from training.errors import NotReady
from training.nano.people import HELD_OUT_SPEAKER, held_out_digits, recordings, speech_folder, training_digits


def test_recordings_are_read_with_word_and_speaker(tmp_path: Path) -> None:
    dog, heart, _ = recordings(write_people(tmp_path), "words")

    assert (dog.word, dog.speaker) == ("dog", "w1")
    assert heart.word == "heart"
    assert len(dog.wave()) == pytest.approx(0.3 * 16_000, abs=1)


def test_the_speakers_of_digits_are_parted(tmp_path: Path) -> None:
    folder = write_people(tmp_path)

    assert said(training_digits(folder)) == [("zero", "george"), ("one", "george"), ("two", "jackson")]
    assert said(held_out_digits(folder)) == [("one", HELD_OUT_SPEAKER), ("two", HELD_OUT_SPEAKER)]


def test_the_folder_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHCLIP_HUMAN_SPEECH", str(tmp_path))
    assert speech_folder() == tmp_path

    monkeypatch.setenv("SPEECHCLIP_HUMAN_SPEECH", "")
    assert speech_folder() is None


def test_a_name_that_is_wrong_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHCLIP_HUMAN_SPEECH", str(tmp_path / "nowhere"))
    with pytest.raises(NotReady, match=r"SPEECHCLIP_HUMAN_SPEECH is .*nowhere, which is no folder"):
        speech_folder()
    with pytest.raises(NotReady, match=r"digits\.csv is missing"):
        training_digits(tmp_path)


def test_of_the_real_recordings_every_speaker_is_on_one_side(human_speech: Path) -> None:
    training, held_out = training_digits(human_speech), held_out_digits(human_speech)
    words = recordings(human_speech, "words")

    assert len({recording.speaker for recording in training}) > 1
    assert {recording.speaker for recording in held_out} == {HELD_OUT_SPEAKER}
    assert not {recording.speaker for recording in training} & {recording.speaker for recording in [*held_out, *words]}
    assert not {recording.path for recording in training} & {recording.path for recording in [*held_out, *words]}
    assert {recording.word for recording in held_out} == {recording.word for recording in training}
