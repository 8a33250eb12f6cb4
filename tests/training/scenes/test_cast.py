"""Who speaks, and that the same is said again. espeak-ng and the packages speak for real."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.fake_voices import Mumble, Murmur
from tests.training.scenes.scene_packages import Choir
from training.errors import NotReady
from training.nano.neural_voices import HELD_OUT_PEOPLE
from training.nano.program_voices import HELD_OUT, Flite
from training.nano.voices import ENGINES, Voice
from training.scenes.cast import (
    MANY_VOICES,
    SHARES,
    UNHEARD_SHARES,
    Cast,
    RepeatablePico,
    heard_in_training,
    missing,
    never_heard,
)

CAPTIONS = ["a cat", "two dogs", "a cat and two dogs", "the moon", "show me a frog"]


def test_shares_are_of_engines_that_there_are() -> None:
    assert set(SHARES) == set(ENGINES)
    assert sum(SHARES.values()) == pytest.approx(1)
    assert sum(UNHEARD_SHARES.values()) == pytest.approx(1)
    assert set(MANY_VOICES) < set(SHARES)


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    """A folder of packages with Kokoro's people: six are held out, and two are not."""
    folder = tmp_path / "kokoro-js" / "voices"
    folder.mkdir(parents=True)
    for name in (*HELD_OUT_PEOPLE, "af_heart", "bm_daniel"):
        np.zeros((510, 256), np.float32).tofile(folder / f"{name}.bin")
    return tmp_path


@pytest.mark.slow
def test_nobody_is_heard_both_in_training_and_in_the_test_of_voices(styles: Path) -> None:
    heard, unheard = heard_in_training(styles)["kokoro"](), never_heard(styles)["kokoro"]()

    assert set(vars(heard)["styles"]) == {"af_heart", "bm_daniel"}
    assert set(vars(unheard)["styles"]) == set(HELD_OUT_PEOPLE)


def test_the_held_out_voice_of_flite_speaks_in_the_test_of_voices_only(tmp_path: Path) -> None:
    heard, unheard = heard_in_training(tmp_path)["flite"](), never_heard(tmp_path)["flite"]()

    assert isinstance(heard, Flite)
    assert isinstance(unheard, Flite)
    assert HELD_OUT not in heard.voices
    assert unheard.voices == (HELD_OUT,)


def cast(varied: bool = True, **engines: Voice) -> Cast:
    return Cast({name: lambda v=voice: v for name, voice in engines.items()}, dict.fromkeys(engines, 1.0), 1, varied)  # type: ignore[misc]


def test_each_caption_of_a_scene_has_a_voice_of_its_own() -> None:
    for seed in range(20):
        spoken = cast(espeak=Choir("espeak"), piper=Murmur(), hibari=Murmur()).speak(CAPTIONS, random.Random(seed))
        engines = [one.voice.split("/")[0] for one in spoken]

        assert len({one.voice for one in spoken if one.voice.startswith("espeak")}) == engines.count("espeak")
        assert engines.count("murmur") <= 2


def test_where_voices_are_too_few_they_speak_again() -> None:
    spoken = cast(piper=Murmur()).speak(CAPTIONS, random.Random(0))

    assert {one.voice for one in spoken} == {"murmur/plain"}


def test_shares_are_kept_where_variety_is_not_asked_for() -> None:
    voices = cast(varied=False, flite=Choir("flite"), kokoro=Choir("kokoro"))
    spoken = [one.voice for seed in range(80) for one in voices.speak(CAPTIONS, random.Random(seed))]

    assert 0.4 < sum(voice.startswith("flite") for voice in spoken) / len(spoken) < 0.6


def test_recordings_are_trimmed_and_as_loud_as_can_be() -> None:
    for one in cast(espeak=Choir()).speak(CAPTIONS, random.Random(0)):
        assert np.abs(one.wave).max() == pytest.approx(1)
        assert 0.3 < len(one.wave) / 16_000 < 1


def test_an_engine_that_says_nothing_is_told() -> None:
    class Silent:
        def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
            return np.zeros(16_000, np.float32), "silent"

    with pytest.raises(NotReady, match="espeak does not speak as it should: it was asked 20 times to say 'a cat'"):
        cast(espeak=Silent()).speak(CAPTIONS, random.Random(0))


def test_a_program_that_fails_ends_it() -> None:
    class Broken:
        def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
            raise subprocess.TimeoutExpired("espeak-ng", 30)

    with pytest.raises(NotReady, match=r"espeak broke off as it said 'a cat', run the same again: .*30 seconds"):
        cast(espeak=Broken()).speak(CAPTIONS, random.Random(0))


def test_an_engine_that_stumbles_is_asked_again() -> None:
    class Stumbling(Mumble):
        def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
            return Choir().speak(phrase, rng) if rng.random() < 0.5 else super().speak(phrase, rng)

    assert len(cast(espeak=Stumbling()).speak(CAPTIONS, random.Random(1))) == 5


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("training.scenes.cast.find_spec", lambda name: None)

    assert missing(["flite", "pico"]) == ["flite", "py_nanotts"]
    assert missing([]) == []


def test_pico_says_the_same_whatever_was_in_memory() -> None:
    said = []
    for _ in range(3):
        voice = RepeatablePico()
        said += [voice.speak("where is the cat", random.Random(seed))[0].tobytes() for seed in (1, 2)]
        rubbish = [bytes([value % 255]) * 40_000 for value in range(200)]
        del rubbish

    assert len(set(said[::2])) == 1
    assert len(set(said[1::2])) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("espeak")
@pytest.mark.parametrize("name", ["espeak", "piper", "hibari"])
def test_the_same_seed_gives_the_same_samples(name: str, tmp_path: Path) -> None:
    engines = heard_in_training(tmp_path)

    def samples() -> list[bytes]:
        voices = Cast({name: engines[name]}, {name: 1.0}, seed=7, varied=False)
        return [one.wave.tobytes() for one in voices.speak(CAPTIONS[:3], random.Random(0))]

    assert samples() == samples()
