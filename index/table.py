"""The truth of a collection: its records and vectors in SQLite, write-ahead logged and fully synchronous."""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import CollectionDamaged, StorageFailed
from index.records import Record, Vectors, metadata_text

FILE_NAME = "records.sqlite"
CHUNK_ROWS = 4096

# `row` is the id in FAISS. It is a column of its own because VACUUM may renumber a hidden rowid. SQLite's pages have no
# checksums, so every row carries one, and the count tells when rows went missing.
_SCHEMA = (
    "CREATE TABLE records (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, uri TEXT, caption TEXT, "
    "metadata TEXT NOT NULL, seq INTEGER NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE state (seq INTEGER NOT NULL, count INTEGER NOT NULL, checksum INTEGER NOT NULL)",
)
_COLUMNS = "row, id, uri, caption, metadata, seq, vector, checksum"
_REMEDY = "restore the collection's folder from a copy, or delete the collection and index its items again"

# What SQLite reports when the file may well be whole and only the machine is in the way.
_OBSTACLES = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG,
})  # fmt: skip


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


@dataclass(frozen=True)
class Row:
    """One record as stored."""

    row: int
    record: Record
    vector: NDArray[np.float32]


class Table:
    """Records in `records.sqlite`. One thread writes at a time, any number read; readers see whole batches only.

    Every method raises `CollectionDamaged` when the file is not as it was written, `StorageFailed` when the disk
    refuses.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self._name = folder.name
        self._bytes = 4 * dim
        self._reading = threading.Lock()
        if not (folder / FILE_NAME).is_file():
            raise self._damaged("there is no such file")
        with _guarded(self._name):
            self._reader = _connect(folder)
            try:
                self._writer = _connect(folder)
            except BaseException:
                self._reader.close()
                raise

    @staticmethod
    def create(folder: Path) -> None:
        """Make an empty table in a folder."""
        with _guarded(folder.name), closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
            # A row is a vector of a few kilobytes: small pages would stay half empty.
            connection.execute("PRAGMA page_size = 16384")
            _prepare(connection)
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO state VALUES (0, 0, ?)", (_checksum((0, 0)),))
            connection.execute("COMMIT")

    def check(self) -> State:
        """Look through the whole file for damage, row contents excepted: each is checked when it is read."""
        with self._reads() as connection:
            schema = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
            if schema != set(_SCHEMA):
                raise self._damaged("its tables are not those of this version")
            if (verdict := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise self._damaged(str(verdict))
            state = self._state(connection)
            if (count := connection.execute("SELECT count(*) FROM records").fetchone()[0]) != state.count:
                raise self._damaged(f"it has {count} records, not {state.count}")
            return state

    def state(self) -> State:
        with self._reads() as connection:
            return self._state(connection)

    def get(self, id: str) -> Row | None:
        with self._reads() as connection:
            row = _find(connection, _COLUMNS, id)
            return None if row is None else self._row(row)

    def fetch(self, rows: Sequence[int]) -> dict[int, Record]:
        """The records in these rows, which are all there, in one query."""
        query = f"SELECT {_COLUMNS} FROM records WHERE row IN (SELECT value FROM json_each(?))"  # noqa: S608
        with self._reads() as connection:
            found = {row[0]: self._row(row).record for row in connection.execute(query, (json.dumps(rows),))}
        if len(found) != len(set(rows)):
            raise self._damaged("records of the index are missing in it")
        return found

    def page(self, limit: int, after: str | None) -> list[Record]:
        """The first `limit` records in the order of their ids, or the first after an id, which need not be there."""
        query = f"SELECT {_COLUMNS} FROM records WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608
        with self._reads() as connection:
            # No id is empty, so every id comes after the empty one.
            return [self._row(row).record for row in connection.execute(query, (after or "", limit))]

    def chunks(self) -> Generator[tuple[NDArray[np.int64], Vectors]]:
        """All rows and vectors of one moment, some thousands at a time, every row checked."""
        with self._reads() as connection:
            cursor = connection.execute(f"SELECT {_COLUMNS} FROM records ORDER BY row")  # noqa: S608
            while part := [self._row(row) for row in cursor.fetchmany(CHUNK_ROWS)]:
                yield np.array([item.row for item in part], np.int64), np.stack([item.vector for item in part])

    def put(self, records: Sequence[Record], vectors: Vectors) -> Change:
        """Write a batch by id, new or in place of what is there. Nothing is stored before `commit`."""
        with self._writes() as (connection, state):
            seq = state.seq + 1
            free = connection.execute("SELECT coalesce(max(row), -1) + 1 FROM records").fetchone()[0]
            rows, gone = list[int](), list[int]()
            for record, vector in zip(records, vectors, strict=True):
                found = _find(connection, "row", record.id)
                row = free + len(rows) - len(gone) if found is None else found[0]
                values = (row, record.id, record.uri, record.caption, metadata_text(record), seq)
                blob = vector.astype("<f4").tobytes()
                connection.execute(
                    "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*values, blob, _checksum(values, blob)),
                )
                rows.append(row)
                if found is not None:
                    gone.append(row)
            return self._advance(connection, State(seq, state.count + len(rows) - len(gone)), gone, rows)

    def remove(self, ids: Sequence[str]) -> Change:
        """Delete what is there of these ids. Nothing is stored before `commit`."""
        with self._writes() as (connection, state):
            gone = list[int]()
            for id in dict.fromkeys(ids):
                found = _find(connection, "row", id)
                if found is not None:
                    connection.execute("DELETE FROM records WHERE row = ?", found)
                    gone.append(found[0])
            return self._advance(connection, State(state.seq + bool(gone), state.count - len(gone)), gone, [])

    def commit(self) -> None:
        """Make the batch durable; on failure it is as if it had never been."""
        with _guarded(self._name):
            try:
                self._writer.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise

    def checkpoint(self) -> None:
        """Move the log into the table, as far as readers allow."""
        with _guarded(self._name):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        with self._reading:
            self._reader.close()
        self._writer.close()

    @staticmethod
    def _advance(connection: sqlite3.Connection, state: State, gone: list[int], rows: list[int]) -> Change:
        values = (state.seq, state.count)
        connection.execute("UPDATE state SET seq = ?, count = ?, checksum = ?", (*values, _checksum(values)))
        return Change(state, np.array(gone, np.int64), np.array(rows, np.int64))

    def _state(self, connection: sqlite3.Connection) -> State:
        rows = connection.execute("SELECT seq, count, checksum FROM state").fetchall()
        if len(rows) != 1 or _checksum(rows[0][:2]) != rows[0][2]:
            raise self._damaged("its sequence counter is wrong")
        return State(*rows[0][:2])

    def _row(self, values: tuple[Any, ...]) -> Row:
        *fields, vector, checksum = values
        if not isinstance(vector, bytes) or len(vector) != self._bytes or _checksum(fields, vector) != checksum:
            raise self._damaged(f"the checksum of row {fields[0]} is wrong")
        row, id, uri, caption, metadata, _ = fields
        return Row(row, Record(id, uri, caption, json.loads(metadata)), np.frombuffer(vector, "<f4").astype(np.float32))

    @contextmanager
    def _reads(self) -> Iterator[sqlite3.Connection]:
        with self._reading, _guarded(self._name):
            yield self._reader

    @contextmanager
    def _writes(self) -> Iterator[tuple[sqlite3.Connection, State]]:
        with _guarded(self._name):
            self._roll_back()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer, self._state(self._writer)
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        # SQLite rolls some failures back by itself, and a batch may have been left by an interrupted caller.
        if self._writer.in_transaction:
            with suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")

    def _damaged(self, reason: str) -> CollectionDamaged:
        return _damage(self._name, reason)


@contextmanager
def _guarded(name: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        # Errors that the Python module raises itself, undecodable text for one, have no code: they mean damage.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _OBSTACLES:
            raise StorageFailed(f"{FILE_NAME} of {name!r}: {error}") from error
        raise _damage(name, str(error)) from error
    except UnicodeDecodeError as error:  # SQLite quoted damaged text in its own message
        raise _damage(name, str(error)) from error


def _damage(name: str, reason: str) -> CollectionDamaged:
    return CollectionDamaged(f"the {FILE_NAME} of {name!r} is damaged: {reason}; {_REMEDY}")


def _connect(folder: Path) -> sqlite3.Connection:
    # mode=rw: a missing file is an error, not a new empty one.
    uri = f"{(folder / FILE_NAME).absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _find(connection: sqlite3.Connection, columns: str, id: str) -> Any:
    try:
        return connection.execute(f"SELECT {columns} FROM records WHERE id = ?", (id,)).fetchone()  # noqa: S608
    except UnicodeEncodeError:  # no stored id has half a surrogate pair in it
        return None


def _checksum(values: Sequence[object], blob: bytes = b"") -> int:
    # ascii() is the same in every version of Python; repr() follows its Unicode tables.
    return zlib.crc32(blob, zlib.crc32(ascii(tuple(values)).encode()))
