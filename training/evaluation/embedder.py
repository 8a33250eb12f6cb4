"""Who is evaluated: files in, vectors and keywords out, with the time it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.config import Branch

Semantics = Literal["service", "official"]
Vectors = NDArray[np.float32]

N = TypeVar("N", bound=np.generic)

NO_SUBWORD = -1


@dataclass(frozen=True)
class Batch:
    """What became of B files, in their order.

    vectors: (B, E) of unit length, zero where a file could not be used; reasons: why not, "" where it could
    subwords: (B, K) the sub-word, in CLIP's byte-pair encoding, that each keyword slot chose; -1 where an utterance
        has no such slot; K is 0 for models without slots
    audio_seconds: (B,) what was heard; seconds: what the model took for all of it
    """

    vectors: Vectors
    reasons: Sequence[str]
    subwords: NDArray[np.int64]
    audio_seconds: NDArray[np.float64]
    seconds: float

    @classmethod
    def of(cls, vectors: Vectors, reasons: Sequence[str]) -> Self:
        """Of what is no speech. vectors: (N, E) for those N of B files that have no reason."""
        nothing = np.zeros((len(reasons), 0), np.int64)
        return cls(_spread(vectors, reasons), reasons, nothing, np.zeros(len(reasons)), 0.0)

    @classmethod
    def spoken(
        cls,
        vectors: Vectors,
        reasons: Sequence[str],
        subwords: Sequence[Sequence[int]],
        audio_seconds: Sequence[float],
        seconds: float,
    ) -> Self:
        """The same for speech: `vectors`, `subwords` and `audio_seconds` are of those files that have no reason."""
        most, count = max(map(len, subwords), default=0), len(vectors)
        rows = np.full((count, most), NO_SUBWORD, np.int64)
        for row, chosen in zip(rows, subwords, strict=False):  # a model without slots has none at all
            row[: len(chosen)] = chosen
        spread = _spread(rows, reasons, NO_SUBWORD)
        lengths = _spread(np.asarray(audio_seconds, np.float64), reasons)
        return cls(_spread(vectors, reasons), reasons, spread, lengths, seconds)

    def among(self, reasons: Sequence[str]) -> Batch:
        """The same batch with files that never came to the model, which have a reason here, at their places."""
        told = iter(self.reasons)
        every = [reason or next(told) for reason in reasons]
        subwords = _spread(self.subwords, reasons, NO_SUBWORD)
        audio_seconds = _spread(self.audio_seconds, reasons)
        return Batch(_spread(self.vectors, reasons), every, subwords, audio_seconds, self.seconds)

    @classmethod
    def joined(cls, batches: Sequence[Batch], dim: int) -> Self:
        """All of them as one."""
        most = max((batch.subwords.shape[1] for batch in batches), default=0)
        padded = [
            np.pad(one.subwords, ((0, 0), (0, most - one.subwords.shape[1])), constant_values=NO_SUBWORD)
            for one in batches
        ]
        return cls(
            np.concatenate([np.zeros((0, dim), np.float32), *(batch.vectors for batch in batches)]),
            [reason for batch in batches for reason in batch.reasons],
            np.concatenate([np.zeros((0, most), np.int64), *padded]),
            np.concatenate([np.zeros(0), *(batch.audio_seconds for batch in batches)]),
            sum(batch.seconds for batch in batches),
        )


class Embedder(Protocol):
    """A model, reached in one way or another.

    name, fingerprint, dim, branch: as of the model; precision: in which its products are made
    way: how it is reached, as far as vectors depend on it
    for_good: whether a file that it refuses is refused the next time too
    """

    name: str
    fingerprint: str
    dim: int
    branch: Branch
    precision: str
    way: str
    for_good: bool

    def speech(self, files: Sequence[bytes]) -> Batch:
        """Audio files of any kind."""
        ...

    def images(self, files: Sequence[bytes]) -> Batch:
        """Image files of any kind."""
        ...

    def texts(self, texts: Sequence[bytes]) -> Batch:
        """Texts in UTF-8."""
        ...


def _spread(rows: NDArray[N], reasons: Sequence[str], empty: int = 0) -> NDArray[N]:
    """A row for every file, of which those with a reason have none in `rows`."""
    spread = np.full((len(reasons), *rows.shape[1:]), empty, rows.dtype)
    spread[[not reason for reason in reasons]] = rows
    return spread
