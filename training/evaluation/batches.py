"""Files go through a model in batches; every batch is kept, so that nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from training.errors import DatasetError
from training.evaluation.embedder import Batch, Embedder
from training.evaluation.errors import EvaluationError
from training.evaluation.kept import Kept

Advance = Callable[[str, int, int], None]
"""(step, done, total)"""


class Readable(Protocol):
    """What has bytes, or turns out not to have them (`DatasetError`)."""

    @property
    def name(self) -> str: ...

    def read(self) -> bytes: ...


@dataclass(frozen=True)
class Fault:
    """A file that takes no part, and why."""

    name: str
    reason: str


class InBatches:
    """`faults` has what could not be used so far."""

    def __init__(self, embedder: Embedder, work: Path, advance: Advance) -> None:
        self._embedder, self._work, self._advance = embedder, work, advance
        self.faults: list[Fault] = []

    def run(
        self,
        what: str,
        embed: Callable[[Sequence[bytes]], Batch],
        sources: Sequence[Readable],
        size: int,
        *,
        warm: bool = False,
    ) -> Batch:
        """All sources, in their order. warm: what is embedded first goes through once before, so as to be timed well.

        what: all that vectors depend on but the files, the model and how it is reached.
        """
        kept, batches, warm_up = Kept(self._work, self._embedder, what), list[Batch](), warm
        self._advance(what, 0, len(sources))
        for start in range(0, len(sources), size):
            files, reasons = _read(sources[start : start + size])
            batch = kept.get(key := kept.key(files), len(files))
            if batch is None:
                if warm_up and files:
                    embed(files[:1])
                    warm_up = False
                batch = embed(files)
                _require_sound(batch, what)
                if self._embedder.for_good or not any(batch.reasons):
                    kept.put(key, batch)
            batches.append(batch.among(reasons))
            self._advance(what, min(start + size, len(sources)), len(sources))
        whole = Batch.joined(batches, self._embedder.dim)
        self.faults += _faults(sources, whole.reasons)
        return whole


def _read(sources: Sequence[Readable]) -> tuple[list[bytes], list[str]]:
    """The files that are there, and for every one the reason why it is not, or ""."""
    files, reasons = [], []
    for source in sources:
        try:
            files.append(source.read())
            reasons.append("")
        except DatasetError as error:
            reasons.append(str(error))
    return files, reasons


def _require_sound(batch: Batch, what: str) -> None:
    if not np.isfinite(batch.vectors).all():
        raise EvaluationError(f"the model is broken: vectors of {what} have values that are no numbers")


def _faults(sources: Iterable[Readable], reasons: Sequence[str]) -> list[Fault]:
    return [Fault(source.name, reason) for source, reason in zip(sources, reasons, strict=True) if reason]
