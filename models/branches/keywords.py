"""Keywords that a model hears, one per slot: which sub-words, how near, and when (spec section 3.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Subword:
    """A piece of a word near to what a slot heard.

    id: of CLIP's byte-pair encoding; text: the piece as it is written, "ffe</w>" where a word ends with it;
    score: cosine in [-1, 1].
    """

    id: int
    text: str
    score: float


@dataclass(frozen=True)
class KeywordSlot:
    """What one slot of a model heard in an utterance.

    slot: counted from 0, in the order in which CLIP reads them
    start, end: seconds. Where keywords are integrated (cascaded+, hybrid+): from the frame in which the one before was
        complete to the frame in which this one is. Where slots attend (cascaded, hybrid): the shortest run of frames
        that holds half of the attention, the first of equally short ones.
    subwords: the nearest ones, nearest first, 10 of them unless the model has fewer
    vector: (E,) unit length: the keyword before it was replaced by its nearest sub-word
    attention: (T,) over the frames of the utterance, sums to 1: the mean over the heads, or what was integrated
    frame_seconds: from one frame to the next
    """

    slot: int
    start: float
    end: float
    subwords: Sequence[Subword]
    vector: NDArray[np.float32]
    attention: NDArray[np.float32]
    frame_seconds: float


def attended(attention: NDArray[np.float32], share: float = 0.5) -> tuple[int, int]:
    """The shortest run of frames, first and one past the last, that holds `share` of (T,) attention.

    The first of equally short ones.
    """
    sums = np.concatenate([[0.0], np.cumsum(attention, dtype=np.float64)])
    wanted = sums[:-1] + share * sums[-1]
    starts = np.flatnonzero(wanted <= sums[-1])
    ends = np.searchsorted(sums, wanted[starts])
    shortest = int(np.argmin(ends - starts))
    return int(starts[shortest]), int(ends[shortest])


def integrated(attention: NDArray[np.float32]) -> tuple[int, int]:
    """The frames, first and one past the last, that (T,) weights are of."""
    frames = np.flatnonzero(attention)
    return int(frames[0]), int(frames[-1]) + 1
