"""A model folder in this process, as the service runs it, or as the authors' evaluation does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from models.config import Branch
from models.encoder import SpeechClipEncoder
from models.folder import ModelFolder, find_model
from models.listeners import pad
from models.protocol import Encoder
from training.evaluation.embedder import Batch, Semantics, Vectors
from training.evaluation.files import read_audio, read_image, readable
from training.evaluation.heard import Utterance
from training.evaluation.keywords import Subwords

Waves = Sequence[NDArray[np.float32]]
Heard = tuple[Vectors, Sequence[Sequence[int]]]
"""The vectors of a batch, and the sub-words of its keyword slots, none for a model without slots."""


@dataclass(frozen=True)
class LocalModel:
    """A model folder, loaded once. Raises `models.errors.ModelFolderError`."""

    folder: ModelFolder

    @classmethod
    def find(cls, name_or_path: str, models: Path) -> LocalModel:
        """A shipped model, one that was pulled into the folder `models`, or a model folder by its path."""
        return cls(find_model(name_or_path, models))

    @cached_property
    def encoder(self) -> SpeechClipEncoder:
        return SpeechClipEncoder(self.folder)

    def subwords(self) -> Subwords | None:
        """What keywords are chosen from; None for a model without slots."""
        if self.folder.config.cascaded is None:
            return None
        table = self.encoder.network.subwords.detach().cpu().numpy()
        return Subwords(np.asarray(self.folder.vocabulary, np.int64), table, self.folder.config.clip.text)

    def listen(self, file: bytes) -> Utterance:
        """What the slots of a model that has some hear, as the service runs it. Raises `AudioError`."""
        wave = read_audio(file)
        (slots,) = self.encoder.embed_speech([wave], return_keywords=True).keywords or [[]]
        return Utterance(wave, slots)

    def embedder(self, semantics: Semantics, branch: Branch | None) -> LocalEmbedder:
        """Raises `BranchError`."""
        branch = branch or self.folder.config.search_branch
        self.encoder.network.require(branch)
        if semantics == "service":
            return LocalEmbedder(self.encoder, branch, semantics, as_served(self.encoder, branch))
        hear = as_official(self.encoder, self.folder.vocabulary, branch)
        return LocalEmbedder(self.encoder, branch, semantics, hear)


class LocalEmbedder:
    """`Embedder` by an encoder, and by what hears for it."""

    for_good = True

    def __init__(self, encoder: Encoder, branch: Branch, semantics: Semantics, hear: Callable[[Waves], Heard]) -> None:
        self.name, self.fingerprint, self.dim = encoder.name, encoder.fingerprint, encoder.dim
        self.branch, self.precision, self.way = branch, str(encoder.precision), str(semantics)
        self._encoder, self._hear = encoder, hear

    def speech(self, files: Sequence[bytes]) -> Batch:
        waves, reasons = readable(read_audio, files)
        started_at = time.perf_counter()
        vectors, subwords = self._hear(waves) if waves else (np.zeros((0, self.dim), np.float32), [])
        seconds = time.perf_counter() - started_at
        return Batch.spoken(vectors, reasons, subwords, [len(wave) / SAMPLE_RATE for wave in waves], seconds)

    def images(self, files: Sequence[bytes]) -> Batch:
        images, reasons = readable(read_image, files)
        vectors = self._encoder.embed_images(images) if images else np.zeros((0, self.dim), np.float32)
        return Batch.of(vectors, reasons)

    def texts(self, texts: Sequence[bytes]) -> Batch:
        return Batch.of(self._encoder.embed_texts([text.decode() for text in texts]), [""] * len(texts))


def as_served(encoder: Encoder, branch: Branch) -> Callable[[Waves], Heard]:
    def hear(waves: Waves) -> Heard:
        found = encoder.embed_speech(waves, branch, return_keywords=True)
        slots = [[slot.subwords[0].id for slot in utterance] for utterance in found.keywords or ()]
        return found.vectors, slots

    return hear


def as_official(encoder: SpeechClipEncoder, vocabulary: Sequence[int], branch: Branch) -> Callable[[Waves], Heard]:
    """With the authors' batch semantics: what an utterance becomes depends on its batch (spec section 3.4)."""
    network = encoder.network

    @torch.inference_mode()
    def hear(waves: Waves) -> Heard:
        padded, lengths = pad(waves)
        frames = network.audio_encoder(padded.to(encoder.device), lengths.to(encoder.device), "official")
        heard = network.keywords(frames, "official") if "cascaded" in encoder.branches else None
        vectors = (
            network.embed_whole(frames) if branch == "parallel" or heard is None else network.embed_keywords(heard)
        )
        if heard is None:
            return vectors.cpu().numpy(), []
        chosen = zip(heard.targets.tolist(), heard.counts.tolist(), strict=True)
        return vectors.cpu().numpy(), [[vocabulary[row] for row in rows[:count]] for rows, count in chosen]

    return hear
