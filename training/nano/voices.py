"""Synthetic voices: programs and packages that turn a phrase into a waveform, each with random manner."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from training.nano.neural_voices import Hibari, Kokoro, Pico, Piper
from training.nano.program_voices import Espeak, Festival, Flite

PROGRAMS = ("espeak-ng", "flite", "festival")


class Voice(Protocol):
    """A speech engine. `speak` returns (float32 mono 16 kHz, a label `engine/voice`)."""

    def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]: ...


@dataclass(frozen=True)
class Engine:
    """make: the voice, given the folder of npm packages.

    spoken: its share of the utterances that are synthesised; heard: its share of what is heard in training. They
    differ because Kokoro, the most like people, takes ten times as long as the others.
    """

    make: Callable[[Path], Voice]
    spoken: float
    heard: float


ENGINES: Mapping[str, Engine] = {
    "piper": Engine(lambda packages: Piper(), 0.30, 0.20),
    "espeak": Engine(lambda packages: Espeak(), 0.24, 0.14),
    "flite": Engine(lambda packages: Flite(), 0.12, 0.10),
    "festival": Engine(lambda packages: Festival(), 0.04, 0.02),
    "pico": Engine(lambda packages: Pico(), 0.12, 0.14),
    "hibari": Engine(lambda packages: Hibari(), 0.06, 0.06),
    "kokoro": Engine(lambda packages: Kokoro(packages / "kokoro-js" / "voices"), 0.12, 0.34),
}


def missing_programs() -> list[str]:
    """What must be installed before speech can be made."""
    packages = sorted({name for voice in (Piper, Pico, Hibari, Kokoro) for name in voice.packages})
    programs = [name for name in PROGRAMS if shutil.which(name) is None]
    return programs + [name for name in packages if find_spec(name) is None]


def trim(wave: NDArray[np.float32], floor_db: float = -45.0, keep_s: float = 0.03) -> NDArray[np.float32]:
    """Cut silence below `floor_db` of the peak from both ends, keeping `keep_s` of it; peak becomes 1."""
    peak = float(np.max(np.abs(wave), initial=0.0))
    if peak < 1e-4:
        return wave[:0]
    loud = np.flatnonzero(np.abs(wave) > peak * 10 ** (floor_db / 20))
    keep = int(keep_s * SAMPLE_RATE)
    return wave[max(0, loud[0] - keep) : loud[-1] + keep] / peak
