"""What the encoder is asked, and what it answers."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from models.audio import SAMPLE_RATE
from models.branches.keywords import KeywordSlot
from models.config import Branch

Kind = Literal["speech", "image", "text", "words"]
Payload = NDArray[np.float32] | Image | str | tuple[str, ...]
Vectors = NDArray[np.float32]

NOMINAL_S = 1.0
"""What is no audio counts as so much of it."""


@dataclass(frozen=True)
class Task:
    """What is to be done with a query; those that want the same go together.

    branch: of speech, None for the model's search branch; keywords: whether its keyword slots are wanted too.
    """

    kind: Kind
    branch: Branch | None = None
    keywords: bool = False


@dataclass(frozen=True)
class Encoded:
    """One query's vector, the seconds it waited and the encoder took, and how many queries were encoded with it.

    vector: (E,) float32 of unit length; (N, E) for the N texts of one query for "words". slots: where they were asked
    for and the model has them.
    """

    vector: Vectors
    slots: Sequence[KeywordSlot]
    queue_s: float
    encode_s: float
    batch: int


@dataclass(frozen=True, eq=False)
class Job:
    """A query on its way: until `expires_at` (`time.monotonic`) somebody waits for it, unless `answer` is cancelled."""

    task: Task
    payload: Payload
    expires_at: float = math.inf
    answer: Future[Encoded] = field(default_factory=Future)
    queued_at: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Of audio, which is what a query costs."""
        return len(self.payload) / SAMPLE_RATE if isinstance(self.payload, np.ndarray) else NOMINAL_S
