"""An encoder with no network in it: a spoken, shown or typed word has the same vector, and any test knows which."""

from __future__ import annotations

import hashlib
import io
import threading
import wave
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.config import Branch, Precision
from models.protocol import Memory, SpeechEmbeddings
from tests.patience import WAIT_S

RATE = 16_000

# word -> the pitch at which it is "spoken" (Hz), and the colour of its "drawing"
WORDS: dict[str, tuple[float, tuple[int, int, int]]] = {
    "dog": (300.0, (200, 30, 30)),
    "cat": (600.0, (30, 200, 30)),
    "apple": (900.0, (30, 30, 200)),
    "rocket": (1200.0, (200, 200, 30)),
    "guitar": (1500.0, (30, 200, 200)),
}


class FakeEncoder:
    """Deterministic, of unit length, and observable: `batches` holds the kind and size of every call."""

    name = "fake"
    card = "# fake\n\nKnows *five* words.\n"
    precision: Precision = "fp32"
    branches: Sequence[Branch] = ("parallel",)
    lanes = 1
    batched = True
    image_size = 60

    def __init__(self, dim: int = 16) -> None:
        self.dim = dim
        self.fingerprint = hashlib.sha256(f"fake {dim}".encode()).hexdigest()
        self.batches: list[tuple[str, int]] = []
        self.seen: list[str] = []
        self.open = threading.Event()
        """Cleared, it holds every call until it is set again."""
        self.open.set()
        self.entered = threading.Semaphore(0)
        """Released at the start of every call."""
        self.broken: Callable[[str], bool] = lambda word: False
        """Words that make the whole batch fail."""

    def forget(self) -> None:
        """As if it had never been called."""
        self.batches.clear()
        self.seen.clear()
        while self.entered.acquire(blocking=False):
            pass

    def vector(self, word: str) -> NDArray[np.float32]:
        """The unit vector (dim,) of a word."""
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        numbers = np.random.default_rng(seed).standard_normal(self.dim)
        return (numbers / np.linalg.norm(numbers)).astype(np.float32)

    def embed_speech(
        self, waves: Sequence[NDArray[np.float32]], branch: Branch | None = None, return_keywords: bool = False
    ) -> SpeechEmbeddings:
        return SpeechEmbeddings(self._embed("speech", [heard(samples) for samples in waves]))

    def close(self) -> None:
        """As `ApartEncoder` has it."""

    def device_memory(self) -> Memory | None:
        return None

    def embed_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        return self._embed("image", [_recognised(image) for image in images])

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._embed("text", list(texts))

    def slot_words(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        return None

    def _embed(self, kind: str, words: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append((kind, len(words)))
        self.entered.release()
        if not self.open.wait(WAIT_S):
            raise TimeoutError("a test forgot to let the encoder go on")
        self.seen.extend(words)
        if any(self.broken(word) for word in words):
            raise RuntimeError("secret detail of a broken device")
        return np.stack([self.vector(word) for word in words])


def spoken(word: str, seconds: float = 0.5) -> bytes:
    """A WAV file in which a word is "spoken"."""
    return wav(tone(word, seconds))


def tone(word: str, seconds: float) -> NDArray[np.float64]:
    """The samples of a "spoken" word."""
    pitch, _ = WORDS[word]
    return np.asarray(0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE))


def wav(samples: NDArray[np.float64]) -> bytes:
    """Mono samples in [-1, 1] at 16 kHz as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((samples * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def drawn(word: str, format: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    """An image file with the "drawing" of a word."""
    buffer = io.BytesIO()
    Image.new("RGB", size, WORDS[word][1]).save(buffer, format)
    return buffer.getvalue()


def heard(samples: NDArray[np.float32]) -> str:
    """The word that is "spoken" at the pitch of the samples."""
    pitch = float(np.argmax(np.abs(np.fft.rfft(samples)))) * RATE / len(samples)
    return min(WORDS, key=lambda word: abs(WORDS[word][0] - pitch))


def _recognised(image: Image.Image) -> str:
    colour = np.asarray(image.convert("RGB"), np.float64).mean(axis=(0, 1))
    return min(WORDS, key=lambda word: float(np.abs(np.array(WORDS[word][1]) - colour).sum()))
