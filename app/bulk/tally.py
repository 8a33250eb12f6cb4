"""What a run has done so far, and the report of what it could not use."""

from __future__ import annotations

import json
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.bulk.errors import SourceError
from app.bulk.items import Bad, printable
from index.durable import files

KEPT = 100
"""Failures that are kept in memory; the report has them all."""
FIRST_LINE = 1 << 16
"""Characters: more than a line of a report has."""


class Tally:
    """Counts, from any number of threads. A context, which closes the report.

    The report is a line of JSON for every failure, written as it happens. It replaces that of the last run, and is not
    there when nothing failed.
    """

    def __init__(self, report: Path) -> None:
        self.path = report
        self.added = self.known = self.failed = 0
        self.weight = 0.0
        self.first: list[Bad] = []
        self._counting = threading.Lock()
        self._file: IO[str] | None = None
        with self._storage():
            _require_report(report)
            report.unlink(missing_ok=True)

    @property
    def seen(self) -> int:
        return self.added + self.known + self.failed

    def add(self, count: int, weight: float) -> None:
        with self._counting:
            self.added += count
            self.weight += weight

    def know(self, weight: float) -> None:
        with self._counting:
            self.known += 1
            self.weight += weight

    def fail(self, bad: Bad) -> None:
        """Raises `StorageFailed` where the report cannot be written."""
        told = Bad(printable(bad.where), printable(bad.reason))
        with self._counting:
            self.failed += 1
            self.weight += bad.weight
            if len(self.first) < KEPT:
                self.first.append(told)
            with self._storage():
                file = self._open()
                file.write(json.dumps({"source": told.where, "reason": told.reason}) + "\n")
                file.flush()

    def pass_over(self, weight: float) -> None:
        """What is there twice is neither new nor wrong."""
        with self._counting:
            self.weight += weight

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> IO[str]:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="ascii")
        return self._file

    def _storage(self) -> AbstractContextManager[None]:
        return files.storage(f"the report {self.path} cannot be written")


def _require_report(path: Path) -> None:
    """Raises `SourceError` for a file that is there and is not a report: it may be the source itself."""
    if not path.exists():
        return
    try:
        if path.is_file():
            with path.open(encoding="utf-8") as file:
                first = file.readline(FIRST_LINE)
            if not first or json.loads(first).keys() == {"source", "reason"}:
                return
    except (ValueError, AttributeError):
        pass
    raise SourceError(f"{path} is there and is no report: name another file with --report")
