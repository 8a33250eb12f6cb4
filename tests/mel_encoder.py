"""A model of another kind in the same protocol: mel spectrograms, pixels and letters, each put through one matrix.

Nothing of it is SpeechCLIP's, and it is far from understanding anything: it shows what the service asks of a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from models.config import Branch, Precision
from models.errors import BranchError
from models.images import looked_at
from models.protocol import Memory, SpeechEmbeddings

RATE = 16_000
WINDOW, STEP, BANDS = 400, 160, 40
SIDE = 8  # pixels of the pictures it looks at
LETTERS = 256

Vectors = NDArray[np.float32]


class MelEncoder:
    """`models.encoder.Encoder` by random projections."""

    name = "mel"
    card = ""
    precision: Precision = "fp32"
    branches: Sequence[Branch] = ("parallel",)
    lanes = 2
    batched = False
    image_size = SIDE

    def __init__(self, dim: int = 24, seed: int = 0) -> None:
        self.dim = dim
        random = np.random.default_rng(seed)
        # Mean and deviation of every band; colours of every pixel; how often every byte comes.
        sizes = (2 * BANDS, 3 * SIDE * SIDE, LETTERS)
        self._speech, self._image, self._text = (random.standard_normal((size, dim)) for size in sizes)
        self._bands = _mel_bands()
        digest = hashlib.sha256(b"".join(matrix.tobytes() for matrix in (self._speech, self._image, self._text)))
        self.fingerprint = digest.hexdigest()

    def embed_speech(
        self, waves: Sequence[NDArray[np.float32]], branch: Branch | None = None, return_keywords: bool = False
    ) -> SpeechEmbeddings:
        if branch not in (None, *self.branches):
            raise BranchError(f"there is no branch {branch}")
        return SpeechEmbeddings(_project([self._heard(wave) for wave in waves], self._speech))

    def device_memory(self) -> Memory | None:
        return None

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        seen = [np.asarray(looked_at(image, SIDE), np.float64).ravel() for image in images]
        return _project(seen, self._image)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        read = [np.bincount(np.frombuffer(text.encode(), np.uint8), minlength=LETTERS) for text in texts]
        return _project(read, self._text)

    def slot_words(self, texts: Sequence[str]) -> Vectors | None:
        return None

    def _heard(self, wave: NDArray[np.float32]) -> NDArray[np.float64]:
        frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::STEP] * np.hanning(WINDOW)
        bands = np.log(np.abs(np.fft.rfft(frames)) ** 2 @ self._bands + 1e-6)
        return np.concatenate([bands.mean(axis=0), bands.std(axis=0)])


def _mel_bands() -> NDArray[np.float64]:
    """(frequencies, BANDS) overlapping triangles, evenly spaced in mel."""
    frequencies = np.fft.rfftfreq(WINDOW, 1 / RATE)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2) / 2595) - 1)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies[:, None] - low) / (middle - low)
    falling = (high - frequencies[:, None]) / (high - middle)
    return np.clip(np.minimum(rising, falling), 0, None)


def _project(rows: Sequence[NDArray[np.generic]], matrix: NDArray[np.float64]) -> Vectors:
    """(B, E) unit vectors; of nothing, the first axis."""
    if not rows:
        return np.empty((0, matrix.shape[1]), np.float32)
    vectors = np.stack(rows) @ matrix
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.where(lengths > 0, vectors, np.eye(1, matrix.shape[1]))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
