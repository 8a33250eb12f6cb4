"""What of the sources is new: not there already, and not met before."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Generator, Iterable
from contextlib import closing

import numpy as np

from app.bulk.items import Bad, Found, Item, bad
from app.bulk.tally import Tally
from index.backend import Collection
from index.errors import InvalidRecord, ItemNotFound
from index.records import Record, check_records, metadata_text


class Met:
    """The ids of this run, each with the digest of its record. On disk when they are many."""

    def __init__(self) -> None:
        # A file of no name: SQLite makes it when its memory is full, and it is gone with the connection.
        self._ids = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._ids.execute("PRAGMA journal_mode = OFF")
        self._ids.execute("PRAGMA synchronous = OFF")
        self._ids.execute("CREATE TABLE met (id TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID")

    def digest(self, record: Record) -> bytes | None:
        """That of the first record of this id, unless this is it."""
        digest = _digest(record)
        new = self._ids.execute("INSERT OR IGNORE INTO met VALUES (?, ?)", (record.id, digest)).rowcount
        if new:
            return None
        return bytes(self._ids.execute("SELECT digest FROM met WHERE id = ?", (record.id,)).fetchone()[0])

    def close(self) -> None:
        self._ids.close()


def select(found: Iterable[Found], collection: Collection, tally: Tally) -> Generator[Item]:
    """The items that have to be embedded. The others are counted: known, bad, or there twice.

    Two items may not have the same id unless they are the same: one would silently take the other's place.
    """
    with closing(Met()) as met:
        for one in found:
            if isinstance(one, Bad):
                tally.fail(one)
                continue
            try:
                check_records([one.record])
            except InvalidRecord as error:
                tally.fail(bad(one.where, error, one.weight))
                continue
            first = met.digest(one.record)
            if first is None and not _is_known(collection, one):
                yield one
            elif first is None:
                tally.know(one.weight)
            elif first == _digest(one.record):
                tally.pass_over(one.weight)
            else:
                tally.fail(Bad(one.where, f"another item before it has the id {one.record.id!r}", one.weight))


def _is_known(collection: Collection, item: Item) -> bool:
    id = item.record.id
    try:
        if collection.get(id) != item.record:
            return False
        return not isinstance(item.content, np.ndarray) or np.array_equal(collection.vector(id), item.content)
    except ItemNotFound:
        return False


def _digest(record: Record) -> bytes:
    text = repr((record.id, record.uri, record.caption, metadata_text(record)))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
