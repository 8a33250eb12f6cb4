"""The encoder: batches of waveforms, images or texts in, unit vectors of one space out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from models.clip import ImagePreprocessor, Tokenizer
from models.config import ModelConfig
from models.folder import ModelFolder, find_model
from models.speechclip import SpeechClip

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class SpeechEmbeddings:
    """vectors: (B, E) float32, unit length."""

    vectors: Vectors


class Encoder(Protocol):
    """What the service needs of a model. One thread at a time may call it.

    name: for people; fingerprint: equal only where all embeddings are; dim: E.
    """

    name: str
    fingerprint: str
    dim: int

    def embed_speech(self, waves: Sequence[NDArray[np.float32]]) -> SpeechEmbeddings:
        """Utterances, each (samples,) float32 mono 16 kHz of at least 0.1 s. A result is independent of the others."""
        ...

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """Images of any size and mode -> (B, E)."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts, cut to what the model's text tower takes -> (B, E)."""
        ...


class SpeechClipEncoder:
    """`Encoder` by a SpeechCLIP model, on the GPU where there is one."""

    def __init__(self, folder: ModelFolder, device: str | None = None) -> None:
        self.config: ModelConfig = folder.config
        self.name, self.fingerprint, self.dim = folder.config.name, folder.fingerprint, folder.config.embedding_size
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._model: SpeechClip = folder.load().to(self.device).requires_grad_(False)
        text = folder.config.clip.text
        self._tokens = Tokenizer(text.vocab_size, text.context_length)
        self._pixels = ImagePreprocessor(folder.config.clip.vision)

    @torch.inference_mode()
    def embed_speech(self, waves: Sequence[NDArray[np.float32]]) -> SpeechEmbeddings:
        if not waves:
            return SpeechEmbeddings(np.empty((0, self.dim), np.float32))
        shortest = min(len(wave) for wave in waves)
        if not self.config.audio.frame_count(shortest):
            raise ValueError(f"an utterance of {shortest} samples is too short for a single frame")
        padded, lengths = pad(waves)
        return SpeechEmbeddings(_numpy(self._model.embed_speech(padded.to(self.device), lengths.to(self.device))))

    @torch.inference_mode()
    def embed_images(self, images: Sequence[Image]) -> Vectors:
        if not images:
            return np.empty((0, self.dim), np.float32)
        return _numpy(self._model.embed_images(self._pixels(images).to(self.device)))

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dim), np.float32)
        return _numpy(self._model.embed_texts(self._tokens(texts).to(self.device)))


def pad(waves: Sequence[NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """(B, N) zero-padded waveforms and (B,) lengths in samples."""
    lengths = [len(wave) for wave in waves]
    padded = np.zeros((len(waves), max(lengths)), np.float32)
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = wave
    return torch.from_numpy(padded), torch.tensor(lengths)


def load_encoder(name_or_path: str) -> SpeechClipEncoder:
    """A shipped model by name, or a model folder by path. Raises `models.errors.ModelFolderError`."""
    return SpeechClipEncoder(find_model(name_or_path))


def _numpy(vectors: Tensor) -> Vectors:
    return vectors.cpu().numpy()
