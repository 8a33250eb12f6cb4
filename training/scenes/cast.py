"""Who speaks the captions: the voices of training, and a few that training never hears."""

from __future__ import annotations

import ctypes
import random
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from subprocess import SubprocessError

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from training.errors import NotReady
from training.nano.neural_voices import HELD_OUT_PEOPLE, Hibari, Kokoro, Pico, Piper
from training.nano.program_voices import HELD_OUT, Flite
from training.nano.voices import ENGINES, Voice, trim

SHARES: Mapping[str, float] = {
    "espeak": 0.30,
    "pico": 0.20,
    "flite": 0.16,
    "piper": 0.14,
    "hibari": 0.13,
    "festival": 0.02,
    "kokoro": 0.05,
}
"""How many of the captions each engine speaks, about: those of many voices may speak twice in a scene, the others not.

Kokoro takes ten times as long as the others.
"""

UNHEARD_SHARES: Mapping[str, float] = {"flite": 0.75, "kokoro": 0.25}

MANY_VOICES = ("espeak", "kokoro")
SHORTEST_S, LONGEST_S = 0.15, 8.0
TRIES = 20

_NEEDS: Mapping[str, tuple[str, ...]] = {
    "espeak": ("espeak-ng",),
    "flite": ("flite",),
    "festival": ("festival",),
    "piper": Piper.packages,
    "pico": Pico.packages,
    "hibari": Hibari.packages,
    "kokoro": Kokoro.packages,
}


@dataclass(frozen=True, slots=True)
class Spoken:
    """wave: mono, 16 kHz, its peak at 1. voice: a label `engine/voice`."""

    wave: NDArray[np.float32]
    voice: str


def heard_in_training(packages: Path) -> Mapping[str, Callable[[], Voice]]:
    """What makes the voice of each engine, as training hears it."""
    engines = {name: partial(engine.make, packages) for name, engine in ENGINES.items()}
    return {**engines, "pico": RepeatablePico, "kokoro": partial(_kokoro, packages, held_out=False)}


def never_heard(packages: Path) -> Mapping[str, Callable[[], Voice]]:
    return {"flite": lambda: Flite((HELD_OUT,)), "kokoro": partial(_kokoro, packages, held_out=True)}


def _kokoro(packages: Path, held_out: bool) -> Voice:
    voice = Kokoro(packages / "kokoro-js" / "voices")
    voice.styles = {name: style for name, style in voice.styles.items() if (name in HELD_OUT_PEOPLE) == held_out}
    return voice


def missing(engines: Iterable[str]) -> list[str]:
    """Programs and packages that must be installed before these engines can speak."""
    needed = sorted({need for name in engines for need in _NEEDS[name]})
    return [need for need in needed if not shutil.which(need) and not find_spec(need)]


class RepeatablePico(Pico):
    """Pico reads memory that it has not written, so that what it says depends on what was there. Here it is zero."""

    M_PERTURB, ZEROS, AS_IT_WAS = -6, 255, 0  # as in glibc's malloc.h

    def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
        self._fill_memory(self.ZEROS)
        try:
            return super().speak(phrase, rng)
        finally:
            self._fill_memory(self.AS_IT_WAS)

    def _fill_memory(self, how: int) -> None:
        if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
            mallopt(self.M_PERTURB, how)


class Cast:
    """Voices that speak the captions of one scene after the other. The same seed and captions give the same samples.

    varied: the captions of a scene are spoken by different voices; else by chance alone, where voices are few.
    """

    def __init__(
        self, engines: Mapping[str, Callable[[], Voice]], shares: Mapping[str, float], seed: int, varied: bool
    ) -> None:
        self._engines, self._shares, self._seed, self._varied = engines, shares, seed, varied
        self._voices: dict[str, Voice] = {}

    def speak(self, captions: Sequence[str], rng: random.Random) -> list[Spoken]:
        """One recording of each. Raises `NotReady` where an engine does not speak, whatever its manner."""
        spoken: list[Spoken] = []
        used: set[str] = set()
        for caption in captions:
            name = self._engine(used, rng)
            used.add(name)
            spoken.append(self._one(name, caption, {one.voice for one in spoken}, rng))
        return spoken

    def _engine(self, used: set[str], rng: random.Random) -> str:
        """An engine of few voices speaks once only, while there are others."""
        left = [name for name in self._shares if not self._varied or name in MANY_VOICES or name not in used]
        names = left or [*self._shares]
        return rng.choices(names, [self._shares[name] for name in names])[0]

    def _one(self, name: str, caption: str, others: set[str], rng: random.Random) -> Spoken:
        for _ in range(TRIES):
            try:
                wave, voice = self._voice(name).speak(caption, rng)
            except SubprocessError as error:
                raise NotReady(f"{name} broke off as it said {caption!r}, run the same again: {error}") from error
            wave = trim(wave)
            again = self._varied and name in MANY_VOICES and voice in others
            if SHORTEST_S * SAMPLE_RATE <= len(wave) <= LONGEST_S * SAMPLE_RATE and not again:
                return Spoken(wave, voice)
        raise NotReady(f"{name} does not speak as it should: it was asked {TRIES} times to say {caption!r}")

    def _voice(self, name: str) -> Voice:
        if name not in self._voices:
            if find_spec("onnxruntime"):
                # Networks draw noise as they speak. Each goes on from here, where it starts.
                import_module("onnxruntime").set_seed(self._seed)
            self._voices[name] = self._engines[name]()
        return self._voices[name]
