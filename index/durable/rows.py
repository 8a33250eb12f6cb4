"""What of a table of records goes from one module to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.durable.batches import Receipt
from index.records import Record


@dataclass(frozen=True)
class State:
    """How far a table is: `seq` counts the batches committed, `count` the records there are."""

    seq: int
    count: int


@dataclass(frozen=True)
class Change:
    """A batch, written but not committed: what an index has to do to follow."""

    state: State
    gone: NDArray[np.int64]
    """Rows whose vectors are no longer so: replaced or deleted."""
    rows: NDArray[np.int64]
    """Rows of the vectors that are new."""

    @property
    def receipt(self) -> Receipt:
        replaced = len(self.gone)
        return Receipt(self.state.seq, self.state.count, len(self.rows) - replaced, replaced)


@dataclass(frozen=True)
class Row:
    """One record as stored."""

    row: int
    record: Record
    vector: NDArray[np.float32]
