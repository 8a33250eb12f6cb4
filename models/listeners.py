"""Utterances become frames: each by itself on a CPU, where that is quickest, and in batches on a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.audio import SAMPLE_RATE
from models.hubert import AudioEncoder, Frames
from models.packed.hubert import PackedAudioEncoder

Waves = Sequence[NDArray[np.float32]]


class Listener(Protocol):
    def __call__(self, waves: Waves) -> Iterator[tuple[Sequence[int], Frames]]:
        """Every utterance in one of the groups: which ones, and their frames."""
        ...


class OneByOne:
    """No utterance waits for another or is padded, and what it becomes is bit for bit the same in any company."""

    def __init__(self, encoder: AudioEncoder, kind: torch.dtype) -> None:
        self._encoder = PackedAudioEncoder(encoder, kind)

    def __call__(self, waves: Waves) -> Iterator[tuple[Sequence[int], Frames]]:
        for row, wave in enumerate(waves):
            features = self._encoder(torch.tensor(wave))[None]
            yield [row], Frames((), features, torch.tensor([features.shape[1]]))


class InBatches:
    """Utterances of about one length go together, so that little of a batch is padding.

    seconds: most audio in one batch, with its padding; one utterance may be longer
    kind: of the numbers in matrix products
    """

    def __init__(self, encoder: AudioEncoder, device: torch.device, kind: torch.dtype, seconds: float = 240.0) -> None:
        self._encoder, self._device, self._kind, self._most = encoder, device, kind, int(seconds * SAMPLE_RATE)

    def __call__(self, waves: Waves) -> Iterator[tuple[Sequence[int], Frames]]:
        for rows in buckets([len(wave) for wave in waves], self._most):
            padded, lengths = (self._moved(tensor) for tensor in pad([waves[row] for row in rows]))
            with torch.autocast(self._device.type, self._kind, enabled=self._kind != torch.float32):
                found = self._encoder(padded, lengths)
            yield rows, Frames((), found.features.float(), found.lengths)

    def _moved(self, tensor: Tensor) -> Tensor:
        """From pinned memory a GPU takes it while the CPU goes on."""
        if self._device.type != "cuda":
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)


def buckets(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Which items go together: of similar length, with padding no more than `most`; each item is in one bucket."""
    bucket: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if bucket and (lengths[row] * (len(bucket) + 1) > most or lengths[row] > 1.25 * lengths[bucket[0]]):
            yield bucket
            bucket = []
        bucket.append(row)
    if bucket:
        yield bucket


def pad(waves: Waves) -> tuple[Tensor, Tensor]:
    """(B, N) zero-padded waveforms and (B,) lengths in samples."""
    lengths = [len(wave) for wave in waves]
    padded = np.zeros((len(waves), max(lengths)), np.float32)
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = wave
    return torch.from_numpy(padded), torch.tensor(lengths)
