"""Synthetic voices. espeak-ng and Piper speak for real; programs that CI does not install are played by a script."""

from __future__ import annotations

import importlib.util
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from models.audio import SAMPLE_RATE
from tests.audio_files import encode
from tests.training.fake_voices import tone
from training.nano.neural_voices import Hibari, Kokoro, Pico, Piper
from training.nano.program_voices import ESPEAK_ACCENTS, FLITE_VOICES, HELD_OUT, Espeak, Festival, Flite
from training.nano.voices import ENGINES, Voice, missing_programs, trim


def test_the_shares_of_the_engines_are_all_of_the_speech() -> None:
    assert sum(engine.spoken for engine in ENGINES.values()) == pytest.approx(1)
    assert sum(engine.heard for engine in ENGINES.values()) == pytest.approx(1)
    assert all(engine.spoken > 0 and engine.heard > 0 for engine in ENGINES.values())


def test_the_held_out_voice_is_not_trained_on() -> None:
    assert HELD_OUT not in FLITE_VOICES
    assert HELD_OUT not in Flite().voices
    assert all(HELD_OUT not in voice for voice in (*ESPEAK_ACCENTS, *Festival.VOICES))


def assert_speaks(voice: Voice, phrase: str, label: str, seed: int = 0) -> None:
    wave, name = voice.speak(phrase, random.Random(seed))

    assert name.startswith(label)
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    assert 0.2 < len(trim(wave)) / SAMPLE_RATE < 3
    assert np.abs(wave).max() <= 1.1


@pytest.mark.usefixtures("espeak")
@pytest.mark.parametrize("seed", range(3))
def test_espeak_speaks(seed: int) -> None:
    assert_speaks(Espeak(), "umbrella", "espeak/en", seed)


@pytest.mark.usefixtures("espeak")
def test_espeak_says_the_same_for_the_same_seed_and_speaks_with_many_voices() -> None:
    spoken = [Espeak().speak("umbrella", random.Random(seed)) for seed in (1, 1, 2, 3, 4)]

    assert np.array_equal(spoken[0][0], spoken[1][0])
    assert len({voice for _, voice in spoken}) >= 3


@pytest.mark.slow
@pytest.mark.parametrize(("voice", "label"), [(Piper, "piper/joe"), (Hibari, "hibari/heart")])
def test_a_neural_voice_speaks(voice: type[Piper | Hibari], label: str) -> None:
    speaker = voice()

    for seed in range(3):
        assert_speaks(speaker, "umbrella", label, seed)


def test_both_women_of_pico_speak() -> None:
    voice = Pico()
    spoken = [voice.speak("umbrella", random.Random(seed)) for seed in range(8)]

    assert {name for _, name in spoken} == {"pico/en-US", "pico/en-GB"}
    for seed in range(3):
        assert_speaks(voice, "umbrella", "pico/en-", seed)


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    """Three of Kokoro's people, of whom none is anybody: the folder of the npm package is too large for a test."""
    rng = np.random.default_rng(0)
    for name in ("af_one", "bm_two", "zf_three"):
        (rng.standard_normal((510, 256)) / 10).astype(np.float32).tofile(tmp_path / f"{name}.bin")
    return tmp_path


@pytest.mark.slow
def test_kokoro_speaks_as_one_person_or_as_a_mixture_of_two(styles: Path) -> None:
    voice = Kokoro(styles)
    spoken = [voice.speak("umbrella", random.Random(seed)) for seed in range(6)]
    people = {name.removeprefix("kokoro/") for _, name in spoken}

    assert {part for name in people for part in name.split("+")} <= {"af_one", "bm_two", "zf_three"}
    assert any("+" in name for name in people)
    assert any("+" not in name for name in people)
    assert all(wave.dtype == np.float32 and len(wave) > 3_000 and np.isfinite(wave).all() for wave, _ in spoken)


def test_a_mixture_of_kokoro_speaks_in_the_manner_of_one(styles: Path) -> None:
    voice, parts = Kokoro(styles), set[tuple[int, int, bool]]()
    before = {name: style.copy() for name, style in voice.styles.items()}
    for seed in range(300):
        name, style = voice._person(random.Random(seed))
        people = name.split("+")
        manners = [person for person in people if (style[:, 128:] == before[person][:, 128:]).all()]
        assert len(manners) == 1
        assert len(people) > 1 or np.allclose(style, before[name], atol=1e-6)
        pure = [person for person in people if np.allclose(style[:, :128], before[person][:, :128], atol=1e-6)]
        assert pure in ([], people[:1])
        parts.add((len(people), len(pure), manners == people[:1]))

    # One person; a mixture in the manner of one, of the other, or of a third; one in the manner of another.
    assert parts == {(1, 1, True), (2, 0, True), (2, 0, False), (3, 0, False), (2, 1, False)}
    assert all((voice.styles[name] == style).all() for name, style in before.items())


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs before all others. `flite` and `festival` there write down what they are told, and hum."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "hum.wav").write_bytes(encode(tone("umbrella", 0.5), 16_000, "wav-16"))
    hum = f'printf "%s\\n" "$@" > "{programs}/told"; cat "{programs}/hum.wav" >'
    program(programs, "flite", f'for last; do :; done; {hum} "$last"')
    program(programs, "festival", f"""for last; do :; done; {hum} "$(printf %s "$last" | cut -d'"' -f4)\"""")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return programs


def test_flite_speaks(scripts: Path) -> None:
    assert_speaks(Flite(("rms",)), "umbrella", "flite/rms")
    told = (scripts / "told").read_text(encoding="utf-8").splitlines()

    assert told[:2] == ["-voice", "rms"]
    assert told[told.index("-t") + 1] == "umbrella"


def test_festival_speaks(scripts: Path) -> None:
    assert_speaks(Festival(), "umbrella", "festival/k")

    assert '(SynthText "umbrella")' in (scripts / "told").read_text(encoding="utf-8")


def test_what_is_no_audio_is_silence(scripts: Path) -> None:
    (scripts / "hum.wav").write_bytes(b"no audio")
    wave, _ = Flite().speak("umbrella", random.Random(0))

    assert len(wave) == 0


def test_a_program_that_fails_is_not_passed_over(scripts: Path) -> None:
    program(scripts, "flite", "exit 3")

    with pytest.raises(subprocess.CalledProcessError, match="exit status 3"):
        Flite().speak("umbrella", random.Random(0))


def test_programs_and_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "festival" else f"/usr/bin/{name}")
    monkeypatch.setattr(
        "training.nano.voices.find_spec", lambda name: None if name == "piper" else importlib.util.find_spec
    )

    assert missing_programs() == ["festival", "piper"]


def test_nothing_is_missing_where_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

    assert missing_programs() == []


def test_silence_is_cut_from_both_ends_and_the_peak_is_one() -> None:
    speech = tone("umbrella", 0.5, loudness=0.25)
    wave = np.pad(speech, (8_000, 4_000))
    trimmed = trim(wave, keep_s=0.03)

    assert len(speech) <= len(trimmed) <= len(speech) + 2 * 0.03 * SAMPLE_RATE
    assert np.abs(trimmed).max() == pytest.approx(1)


def test_a_pause_in_the_middle_stays() -> None:
    wave = np.concatenate([tone("a", 0.2), np.zeros(8_000, np.float32), tone("b", 0.2)])

    assert len(trim(wave)) == pytest.approx(len(wave), abs=20)


def test_what_is_too_soft_to_count_is_silence() -> None:
    noise = np.full(4_000, 1e-3, np.float32)
    wave = np.concatenate([noise, tone("umbrella", 0.2), noise])

    assert len(trim(wave, floor_db=-45)) < 0.3 * SAMPLE_RATE
    assert len(trim(wave, floor_db=-80)) == len(wave)


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros(1), np.zeros(16_000), np.full(16_000, 9e-5)])
def test_nothing_is_left_of_silence(wave: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    assert len(trim(wave.astype(np.float32))) == 0
