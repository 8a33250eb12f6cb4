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

from training.nano.augment import augment
from training.nano.speech import Utterance, read_shard

Source = tuple[NDArray[np.int16], Sequence[Utterance]]
"""Samples of many utterances end to end, and what each of them is."""

POOL_BATCHES = 12
MAX_SECONDS = 5.0
PAD_TO = 1600


@dataclass(frozen=True)
class Batch:
    """waves (B, N) zero padded, lengths (B,) samples, phrases: position of each in the corpus' list of phrases."""

    waves: Tensor
    lengths: Tensor
    phrases: Tensor


class SpokenCorpus:
    """All utterances in memory as int16: each row of `rows` is (position in `phrases`, start, length).

    engines: who spoke each, the part of its label before the slash.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.phrases = sorted({row.phrase for _, rows in sources for row in rows})
        number = {phrase: n for n, phrase in enumerate(self.phrases)}
        offsets = np.cumsum([0, *(len(samples) for samples, _ in sources)])
        self.samples = np.concatenate([samples for samples, _ in sources])
        self.rows = np.array(
            [
                (number[row.phrase], row.start + offset, row.length)
                for (_, rows), offset in zip(sources, offsets, strict=False)
                for row in rows
            ],
            np.int64,
        ).reshape(-1, 3)
        self.engines = np.array([row.voice.partition("/")[0] for _, rows in sources for row in rows], np.str_)

    def joined(self, source: Source) -> SpokenCorpus:
        """With the utterances of one source more, whose rows come last."""
        mine = [
            Utterance(self.phrases[number], engine, start, length)
            for (number, start, length), engine in zip(self.rows.tolist(), self.engines.tolist(), strict=True)
        ]
        return SpokenCorpus([(self.samples, mine), source])

    def wave(self, row: int) -> NDArray[np.float32]:
        _, start, length = self.rows[row]
        return np.asarray(self.samples[start : start + length] / np.float32(32768), np.float32)


def synthetic(folder: Path) -> list[Source]:
    """Every finished shard below `folder`, as sources of a corpus."""
    shards = map(read_shard, sorted(folder.rglob("*.json")))
    return [(np.asarray(samples), rows) for samples, rows in shards]


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
            yield from self._batches(rows, rng)

    def _batches(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Iterator[Batch]:
        babble = self.corpus.wave(int(rng.integers(len(self.corpus.rows))))
        waves = [augment(self.corpus.wave(row), rng, babble)[: int(MAX_SECONDS * 16_000)] for row in rows]
        # By the length they have now, not by the one they had: a third of the work would be on padding.
        order = np.argsort([len(wave) for wave in waves], kind="stable").reshape(POOL_BATCHES, self.size)
        for batch in rng.permutation(order):
            yield self._batch([waves[one] for one in batch], rows[batch])

    def _batch(self, waves: Sequence[NDArray[np.float32]], rows: NDArray[np.int64]) -> Batch:
        longest = -(-max(map(len, waves)) // PAD_TO) * PAD_TO
        padded = np.zeros((len(waves), longest), np.float32)
        for target, wave in zip(padded, waves, strict=True):
            target[: len(wave)] = wave
        lengths = torch.tensor([len(wave) for wave in waves])
        return Batch(torch.from_numpy(padded), lengths, torch.from_numpy(self.corpus.rows[rows, 0]))


def stream(dataset: BatchStream) -> Iterator[Batch]:
    """The batches, made one process and one pool ahead."""
    return iter(DataLoader(dataset, batch_size=None, num_workers=1, prefetch_factor=POOL_BATCHES))
