"""Voices that cost nothing: each word is a tone of its own."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from training.nano.voices import Engine, Voice

Wave = NDArray[np.float32]


def tone(phrase: str, seconds: float, loudness: float = 0.5) -> Wave:
    """A sine whose frequency is decided by the phrase."""
    frequency = 200 + zlib.crc32(phrase.encode()) % 2_000
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (loudness * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


class Hum:
    """Hums a phrase for 0.3 to 0.6 s."""

    def speak(self, phrase: str, rng: random.Random) -> tuple[Wave, str]:
        return tone(phrase, rng.uniform(0.3, 0.6)), "hum/plain"


class Murmur(Hum):
    """Hums under another name."""

    def speak(self, phrase: str, rng: random.Random) -> tuple[Wave, str]:
        return super().speak(phrase, rng)[0], "murmur/plain"


class Mumble:
    """Says nothing that can be heard, or goes on for too long."""

    def speak(self, phrase: str, rng: random.Random) -> tuple[Wave, str]:
        return (tone(phrase, 3.5) if rng.random() < 0.5 else tone(phrase, 0.5, loudness=0.0)), "mumble/plain"


class Broken:
    """Ends the shard that it was asked to speak in."""

    def speak(self, phrase: str, rng: random.Random) -> tuple[Wave, str]:
        raise OSError("no voice left")


def use_voices(monkeypatch: pytest.MonkeyPatch, **engines: type[Hum | Mumble | Broken]) -> None:
    """Have these engines speak, each as often as the others."""
    share = 1 / len(engines)

    def engine(voice: Callable[[], Voice]) -> Engine:
        return Engine(lambda packages: voice(), share, share)

    monkeypatch.setattr("training.nano.speech.ENGINES", {name: engine(voice) for name, voice in engines.items()})
