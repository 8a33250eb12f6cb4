"""Batches that were stored once and shall not be stored again, remembered in the same transaction as their records."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass

MOST_REMEMBERED = 10_000
"""The newest; the key of an older batch is as good as new."""

# Made with the first batch that is to be remembered: collections of older versions get it as they need it.
SCHEMA = (
    "CREATE TABLE batches (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, "
    "version INTEGER NOT NULL, count INTEGER NOT NULL, created INTEGER NOT NULL, replaced INTEGER NOT NULL, "
    "checksum INTEGER NOT NULL)"
)
_COLUMNS = "key, digest, version, count, created, replaced"


@dataclass(frozen=True)
class Once:
    """What makes a batch that is sent twice one batch."""

    key: str
    """Its sender's name for it."""
    digest: str
    """Of what it holds: the same key with another batch is a mistake."""


@dataclass(frozen=True)
class Receipt:
    """What storing a batch came to."""

    version: int
    """Of the collection, with the batch."""
    count: int
    """Records in all, then."""
    created: int
    replaced: int


def find(connection: sqlite3.Connection, key: str) -> tuple[str, Receipt] | None:
    """The digest and the receipt of the batch with this key. Raises `ValueError` where they are damaged."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'batches'").fetchone() is None:
        return None
    query = f"SELECT {_COLUMNS}, checksum FROM batches WHERE key = ?"  # noqa: S608
    if (row := connection.execute(query, (key,)).fetchone()) is None:
        return None
    *values, checksum = row
    if _checksum(values) != checksum:
        raise ValueError(f"the checksum of the batch {key!r} is wrong")
    return values[1], Receipt(*values[2:])


def remember(connection: sqlite3.Connection, once: Once, receipt: Receipt) -> None:
    """Part of the caller's transaction."""
    connection.execute(SCHEMA.replace("TABLE", "TABLE IF NOT EXISTS", 1))
    values = (once.key, once.digest, *astuple(receipt))
    added = connection.execute("INSERT INTO batches VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", (*values, _checksum(values)))
    number = added.lastrowid or 0
    connection.execute("DELETE FROM batches WHERE number <= ?", (number - MOST_REMEMBERED,))


def _checksum(values: Iterable[object]) -> int:
    return zlib.crc32(ascii(tuple(values)).encode())
