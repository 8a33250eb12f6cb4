"""Which pairs are in which batch: decided by the seed and the number of the batch alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

Draw = tuple[int, int]
"""A pair's place in the data set, and the epoch."""


@dataclass
class Position:
    """batches: how many were trained with so far, in all epochs."""

    batches: int = 0


class Shuffled(Sampler[list[Draw]]):
    """The batches of this process until the end of the epoch, from where training stands.

    All processes together have the batches that one process would have; what is left over of an epoch is dropped.
    """

    def __init__(
        self, pairs: int, batch: int, seed: int, position: Position, rank: int = 0, processes: int = 1
    ) -> None:
        self._pairs, self._batch, self._seed, self._position = pairs, batch, seed, position
        self._share = slice(rank * batch // processes, (rank + 1) * batch // processes)

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return self._pairs // self._batch

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, first = divmod(self._position.batches, len(self))
        order = np.random.default_rng((self._seed, epoch)).permutation(self._pairs)
        for number in range(first, len(self)):
            places = order[number * self._batch : (number + 1) * self._batch]
            yield [(int(place), epoch) for place in places[self._share]]


class InOrder(Sampler[list[Draw]]):
    """All pairs in their order, in batches that go to the processes in turn."""

    def __init__(self, pairs: int, batch: int, rank: int = 0, processes: int = 1) -> None:
        self._pairs, self._batch = pairs, batch
        self._starts = range(rank * batch, pairs, processes * batch)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[list[Draw]]:
        for start in self._starts:
            yield [(place, 0) for place in range(start, min(start + self._batch, self._pairs))]
