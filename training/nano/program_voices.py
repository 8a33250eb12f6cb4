"""Voices of programs that Debian packages: formant, unit-selection and diphone synthesis, each with random manner."""

from __future__ import annotations

import io
import random
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE

TIMEOUT_S = 30.0

ESPEAK_ACCENTS = (
    *("en-us", "en-us", "en-us", "en-gb", "en-gb"),
    *("en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"),
)
FLITE_VOICES = ("slt", "slt", "slt", "rms", "rms", "kal16")
HELD_OUT = "awb"
"""flite's voice that is never trained on."""


class Espeak:
    """espeak-ng: formant synthesis, many accents and variants, random speed and pitch."""

    def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
        accent, variant = rng.choice(ESPEAK_ACCENTS), rng.choice(_espeak_variants())
        command = ["espeak-ng", "--stdout", "-v", f"{accent}+{variant}", "-s", str(rng.randint(80, 190))]
        command += ["-p", str(rng.randint(15, 85)), "-a", "100", phrase]
        return _read(_run(command)), f"espeak/{accent}+{variant}"


class Flite:
    """flite: unit selection and statistical voices, random pitch, pitch range and stretch."""

    def __init__(self, voices: tuple[str, ...] = FLITE_VOICES) -> None:
        self.voices = voices

    def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
        voice = rng.choice(self.voices)
        pitch = rng.uniform(140, 220) if voice == "slt" else rng.uniform(80, 150)
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            command = ["flite", "-voice", voice, "--setf", f"duration_stretch={rng.uniform(0.8, 2.0):.3f}"]
            command += [
                "--setf",
                f"int_f0_target_mean={pitch:.1f}",
                "--setf",
                f"int_f0_target_stddev={rng.uniform(8, 35):.1f}",
            ]
            _run([*command, "-t", phrase, "-o", file.name])
            return _read(Path(file.name).read_bytes()), f"flite/{voice}"


class Festival:
    """festival's diphone voices kal and ked, random stretch."""

    VOICES = ("kal_diphone", "ked_diphone")

    def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
        voice, stretch = rng.choice(self.VOICES), rng.uniform(0.85, 1.8)
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            manner = [f"(voice_{voice})", f"(Parameter.set 'Duration_Stretch {stretch:.2f})"]
            _run(["festival", "-b", *manner, f'(utt.save.wave (SynthText "{phrase}") "{file.name}")'])
            return _read(Path(file.name).read_bytes()), f"festival/{voice}"


@cache
def _espeak_variants() -> tuple[str, ...]:
    lines = _run(["espeak-ng", "--voices=variant"]).decode().splitlines()[1:]
    files = [field for line in lines for field in line.split() if field.startswith("!v/")]
    unlike_people = ("whisper", "robo", "alien", "demonic", "fast", "echo", "croak", "klatt6", "bubbles")
    names = sorted({file.rsplit("!v/", 1)[-1] for file in files})
    return tuple(name for name in names if not any(word in name.lower() for word in unlike_people))


def _run(command: list[str]) -> bytes:
    return subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S).stdout


def _read(data: bytes) -> NDArray[np.float32]:
    try:
        wave, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return np.zeros(0, np.float32)
    return np.asarray(soxr.resample(wave.mean(axis=1), rate, SAMPLE_RATE), np.float32)
