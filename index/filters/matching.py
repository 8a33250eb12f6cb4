"""Which rows a filter is true of: one scan of the table by SQLite, kept for the next who ask the same."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import deque
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.filters import Filter
from index.filters.sql import condition

Rows = NDArray[np.int64]
_NONE: Final = np.empty(0, np.int64)

KEPT_ANSWERS = 32
KEPT_ROWS = 4_000_000
"""Of all kept answers together: 32 MB."""


CHANGED_ROWS = 100_000
"""Of the last batches, that are remembered; answers from before them are not brought up to date, but found anew."""


class Scan(NamedTuple):
    """Rows, ascending: those of which a filter is true, and those of which SQLite cannot tell."""

    true: Rows
    unsure: Rows


def scan(connection: sqlite3.Connection, where: Filter, among: Rows | None = None) -> Scan:
    """Look through all records, or those of some rows that may be there."""
    sql, parameters = condition(where)
    only = ""
    if among is not None:
        parameters = (*parameters, json.dumps(among.tolist()))
        only = f"WHERE row IN (SELECT value FROM json_each(?{len(parameters)})) "  # noqa: S608
    # The limit, which is none, keeps SQLite from computing the verdict once for the row and again for the result.
    verdicts = f"SELECT row, {sql} AS verdict FROM records {only}ORDER BY row LIMIT -1"  # noqa: S608
    query = f"SELECT row, verdict IS NULL FROM ({verdicts}) WHERE verdict IS NOT 0"  # noqa: S608
    found = np.array(connection.execute(query, parameters).fetchall(), np.int64).reshape(-1, 2)
    unsure = found[:, 1] == 1
    return Scan(found[~unsure, 0], found[unsure, 0])


class Kept(NamedTuple):
    """The rows, ascending, that a filter was true of at a version of the records, and those that changed since."""

    version: int
    rows: Rows
    changed: Rows


class Matched:
    """What the filters that were asked last were true of, and what has changed. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers = dict[str, tuple[int, Rows]]()
        self._changes = deque[tuple[int, Rows]]()
        self._changed = 0
        """How many rows there are in them."""
        self._complete_since = 0
        """The version after which all changes are known."""

    def change(self, version: int, rows: Rows) -> None:
        """Told of every batch before it is committed, whether it will be or not: which rows it changes."""
        if not len(rows):
            return
        with self._lock:
            self._changes.append((version, rows))
            self._changed += len(rows)
            while self._changed > CHANGED_ROWS:
                self._complete_since, forgotten = self._changes.popleft()
                self._changed -= len(forgotten)

    def get(self, where: Filter) -> Kept | None:
        key = _key(where)
        with self._lock:
            version, rows = self._answers.pop(key, (-1, _NONE))
            if version < self._complete_since:
                return None
            self._answers[key] = version, rows  # the newest is the last
            changed = [some for seq, some in self._changes if seq > version]
        return Kept(version, rows, np.unique(np.concatenate([_NONE, *changed])))

    def keep(self, where: Filter, version: int, rows: Rows) -> None:
        """The oldest answers are forgotten where there are too many."""
        key = _key(where)
        rows.flags.writeable = False
        with self._lock:
            self._answers.pop(key, None)
            self._answers[key] = version, rows
            while len(self._answers) > KEPT_ANSWERS or sum(len(rows) for _, rows in self._answers.values()) > KEPT_ROWS:
                del self._answers[next(iter(self._answers))]


def _key(where: Filter) -> str:
    # Not the filter itself: 1, 1.0 and True are equal, and filters with them are not the same.
    return repr(where)
