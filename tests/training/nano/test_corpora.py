"""What nano hears, and above all what it never hears."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests.training.fake_people import DIGITS, WORDS, write_people
from tests.training.fake_voices import Hum, Murmur, Wave, use_voices
from training.errors import NotReady
from training.nano.corpora import PEOPLE_WEIGHT, heard
from training.nano.people import HELD_OUT_SPEAKER, Recording, held_out_digits, recordings, training_digits
from training.nano.speech import make_shard
from training.nano.voices import Engine, trim


@pytest.fixture
def shards(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten utterances by machines."""
    use_voices(monkeypatch, hum=Hum)
    make_shard(packages, tmp_path / "speech", 1, 10)
    return tmp_path / "speech"


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings, of which those for evaluation cannot be read: whoever tries fails."""
    folder = write_people(tmp_path / "people", unreadable=[HELD_OUT_SPEAKER, "w1"])
    monkeypatch.setenv("SPEECHCLIP_HUMAN_SPEECH", str(folder))
    return folder


def use_prompts(monkeypatch: pytest.MonkeyPatch, *spoken: tuple[str, Wave]) -> None:
    monkeypatch.setattr("training.nano.corpora.prompts", lambda: iter(spoken))


def test_people_are_heard_more_often_than_machines(shards: Path, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_prompts(monkeypatch, ("please hold", np.ones(4_000, np.float32)))
    corpus, weights = heard(shards)

    assert weights[-4:].tolist() == [PEOPLE_WEIGHT] * 4
    said = [corpus.phrases[number] for number in corpus.rows[:, 0]]
    assert said[-4:] == ["zero", "one", "two", "please hold"]
    assert {weight for weight, phrase in zip(weights[:10], said, strict=False) if phrase not in said[-4:]} == {1.0}


def test_what_people_say_is_heard_as_often_from_machines(
    shards: Path, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_machines, _ = heard(shards)
    phrase = by_machines.phrases[by_machines.rows[0, 0]]
    use_prompts(monkeypatch, (phrase, np.ones(4_000, np.float32)), (phrase, np.ones(4_000, np.float32)))
    corpus, weights = heard(shards)

    same = corpus.rows[:, 0] == corpus.phrases.index(phrase)
    by_people = np.arange(len(same)) >= 10
    assert weights[same & by_people].sum() == 2 * PEOPLE_WEIGHT
    assert weights[same & ~by_people].sum() == pytest.approx(2 * PEOPLE_WEIGHT)


def test_what_a_person_said_comes_back(people: Path, shards: Path) -> None:
    corpus, _ = heard(shards)
    zero = trim(training_digits(people)[0].wave())

    np.testing.assert_allclose(corpus.wave(10), zero, atol=1e-4)


def test_people_held_out_and_words_are_never_heard(people: Path, shards: Path) -> None:
    corpus, weights = heard(shards)
    trained_on = [word for word, speaker in DIGITS if speaker != HELD_OUT_SPEAKER]

    assert len(corpus.rows) == len(weights) == 10 + len(trained_on)
    assert {"giraffe"} == {word.lower() for word, _ in WORDS} - {"dog", "heart"}
    assert "giraffe" not in corpus.phrases


def test_of_the_real_recordings_only_the_training_speakers_are_heard(
    human_speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def read(recording: Recording) -> Wave:
        opened.append(recording.path)
        return np.ones(2_000, np.float32)

    monkeypatch.setenv("SPEECHCLIP_HUMAN_SPEECH", str(human_speech))
    monkeypatch.setattr(Recording, "wave", read)
    corpus, _ = heard(tmp_path / "no shards")
    evaluation = {recording.path for recording in [*held_out_digits(human_speech), *recordings(human_speech, "words")]}

    assert len(corpus.rows) == len(opened) == len(training_digits(human_speech)) > 100
    assert not evaluation & set(opened)


def test_only_what_is_wanted_is_heard(shards: Path, people: Path) -> None:
    corpus, weights = heard(shards, {"one", "dog"}.__contains__)

    assert set(corpus.phrases) <= {"one", "dog"}
    assert weights[-1] == PEOPLE_WEIGHT
    assert corpus.phrases[corpus.rows[-1, 0]] == "one"


def test_engines_are_heard_in_their_shares_however_much_there_is_of_each(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_voices(monkeypatch, hum=Hum)
    make_shard(packages, tmp_path / "speech", 1, 30)
    use_voices(monkeypatch, murmur=Murmur)
    make_shard(packages, tmp_path / "speech" / "more", 1, 10)
    shares = {"hum": Engine(lambda packages: Hum(), 0.5, 0.2), "murmur": Engine(lambda packages: Murmur(), 0.5, 0.8)}
    monkeypatch.setattr("training.nano.corpora.ENGINES", shares)
    corpus, weights = heard(tmp_path / "speech")

    assert weights[corpus.engines == "hum"].sum() / weights.sum() == pytest.approx(0.2)
    assert weights[corpus.engines == "murmur"].sum() / weights.sum() == pytest.approx(0.8)
    assert weights.mean() == pytest.approx(1)


def test_machines_alone_are_enough(shards: Path) -> None:
    corpus, weights = heard(shards)

    assert weights.tolist() == [1.0] * len(corpus.rows) == [1.0] * 10


def test_silence_is_not_heard(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_prompts(monkeypatch, ("nothing", np.zeros(0, np.float32)), ("something", np.ones(2_000, np.float32)))
    corpus, weights = heard(shards)

    assert len(corpus.rows) == len(weights) == 11
    assert "nothing" not in corpus.phrases


def test_no_speech_at_all_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="synthesise it first"):
        heard(tmp_path)


def test_the_people_of_kokoro_that_are_held_out_are_never_heard(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = iter(["kokoro/af_heart", "kokoro/am_echo", "kokoro/af_heart+bf_lily", "espeak/am_echo"])

    class Kokoro(Hum):
        def speak(self, phrase: str, rng: random.Random) -> tuple[Wave, str]:
            return super().speak(phrase, rng)[0], next(labels)

    use_voices(monkeypatch, kokoro=Kokoro)
    make_shard(packages, tmp_path / "speech", 1, 4)
    corpus, _ = heard(tmp_path / "speech")

    assert corpus.engines.tolist() == ["kokoro", "espeak"]
