"""Batches of augmented utterances, made without end in a worker process of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from training.augment import augment
from training.speech import read_shard

Source = tuple[NDArray[np.int16], Sequence[tuple[str, int, int]]]
"""Samples of many utterances end to end, and for each of them (phrase, start, length)."""

POOL_BATCHES = 12
MAX_SECONDS = 2.6
PAD_TO = 1600


@dataclass(frozen=True)
class Batch:
    """waves (B, N) zero padded, lengths (B,) samples, phrases: position of each in the corpus' list of phrases."""

    waves: Tensor
    lengths: Tensor
    phrases: Tensor


class SpokenCorpus:
    """All utterances in memory as int16: each row of `rows` is (position in `phrases`, start, length)."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.phrases = sorted({phrase for _, rows in sources for phrase, _, _ in rows})
        number = {phrase: n for n, phrase in enumerate(self.phrases)}
        offsets = np.cumsum([0, *(len(samples) for samples, _ in sources)])
        self.samples = np.concatenate([samples for samples, _ in sources])
        self.rows = np.array(
            [
                (number[phrase], start + offset, length)
                for (_, rows), offset in zip(sources, offsets, strict=False)
                for phrase, start, length in rows
            ],
            np.int64,
        ).reshape(-1, 3)

    def wave(self, row: int) -> NDArray[np.float32]:
        _, start, length = self.rows[row]
        return np.asarray(self.samples[start : start + length] / np.float32(32768), np.float32)


def synthetic(folder: Path) -> list[Source]:
    """Every finished shard of `folder`, as sources of a corpus."""
    sources: list[Source] = []
    for index in sorted(folder.glob("*.json")):
        samples, rows = read_shard(index)
        sources.append((np.asarray(samples), [(row.phrase, row.start, row.length) for row in rows]))
    return sources


class BatchStream(IterableDataset[Batch]):
    """Endless batches of utterances of similar length, each augmented anew. `weights` (per row) sets how often."""

    def __init__(self, corpus: SpokenCorpus, size: int, seed: int, weights: NDArray[np.float64] | None = None) -> None:
        self.corpus, self.size, self.seed = corpus, size, seed
        self.weights = None if weights is None else weights / weights.sum()

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self.seed)
        cumulative = None if self.weights is None else np.cumsum(self.weights)
        count = self.size * POOL_BATCHES
        while True:
            if cumulative is None:
                rows = rng.integers(0, len(self.corpus.rows), count)
            else:
                rows = np.searchsorted(cumulative, rng.random(count) * cumulative[-1])
            rows = rows[np.argsort(self.corpus.rows[rows, 2], kind="stable")]
            for batch in rng.permutation(POOL_BATCHES):
                yield self._batch(rows[batch * self.size : (batch + 1) * self.size], rng)

    def _batch(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        babble = self.corpus.wave(int(rng.integers(len(self.corpus.rows))))
        waves = [augment(self.corpus.wave(row), rng, babble)[: int(MAX_SECONDS * 16_000)] for row in rows]
        longest = -(-max(map(len, waves)) // PAD_TO) * PAD_TO
        padded = np.zeros((len(waves), longest), np.float32)
        for target, wave in zip(padded, waves, strict=True):
            target[: len(wave)] = wave
        return Batch(
            torch.from_numpy(padded),
            torch.tensor([len(wave) for wave in waves]),
            torch.from_numpy(self.corpus.rows[rows, 0]),
        )


def stream(dataset: BatchStream) -> Iterator[Batch]:
    """The batches, made one process ahead."""
    return iter(DataLoader(dataset, batch_size=None, num_workers=1, prefetch_factor=6))
