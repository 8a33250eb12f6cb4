"""The truth of a collection: its records and vectors in SQLite, write-ahead logged and fully synchronous."""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.durable import batches, files
from index.durable.batches import Once, Receipt
from index.durable.rows import Change, Row, State
from index.durable.sqlite import connect, damage, guarded, prepare
from index.errors import BatchKeyReused, CollectionDamaged
from index.filters import Filter, matches
from index.filters.matching import Matched, scan
from index.records import Record, Vectors, metadata_text

FILE_NAME = "records.sqlite"
CHUNK_ROWS = 4096
LOG_BYTES = 16 * 1024 * 1024

# `row` is the id in FAISS. It is a column of its own because VACUUM may renumber a hidden rowid. SQLite's pages have no
# checksums, so every row carries one, and the count tells when rows went missing.
_SCHEMA = (
    "CREATE TABLE records (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, uri TEXT, caption TEXT, "
    "metadata TEXT NOT NULL, seq INTEGER NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE state (seq INTEGER NOT NULL, count INTEGER NOT NULL, checksum INTEGER NOT NULL)",
)
# Made when a large index first asks what was stored since: collections of older versions get it as they need it.
_BY_SEQ = "CREATE INDEX records_by_seq ON records (seq)"
_COLUMNS = "row, id, uri, caption, metadata, seq, vector, checksum"


class Table:
    """Records in an SQLite file. One thread writes at a time, any number read; readers see whole batches only.

    Every method raises `CollectionDamaged` when the file is not as it was written, `StorageFailed` when the disk
    refuses.
    """

    def __init__(self, folder: Path, dim: int, file: str = FILE_NAME) -> None:
        self._name = folder.name
        self._path = folder / file
        self._log = folder / f"{file}-wal"
        self._bytes = 4 * dim
        self._reading = threading.Lock()
        self._matched = Matched()
        if not self._path.is_file():
            raise self._damaged("there is no such file")
        with guarded(self._name):
            self._reader = connect(self._path)
            try:
                self._writer = connect(self._path)
            except BaseException:
                self._reader.close()
                raise

    @staticmethod
    def create(folder: Path) -> None:
        """Make an empty table in a folder."""
        with guarded(folder.name), closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as connection:
            # A row is a vector of a few kilobytes: small pages would stay half empty.
            connection.execute("PRAGMA page_size = 16384")
            prepare(connection)
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO state VALUES (0, 0, ?)", (_checksum((0, 0)),))
            connection.execute("COMMIT")

    def check(self, sealed: bool = False) -> State:
        """Look through the whole file for damage, row contents excepted: each is checked when it is read.

        A `sealed` file is one that is known to be as it was left after such a check; it is not looked through again.
        """
        with self._reads() as connection:
            schema = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}
            if schema - {batches.SCHEMA, _BY_SEQ} != set(_SCHEMA):
                raise self._damaged("its tables are not those of this version")
            state = self._state(connection)
            if sealed:
                return state
            if (verdict := connection.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
                raise self._damaged(str(verdict))
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

    def fetch(self, rows: Sequence[int]) -> dict[int, Row]:
        """These rows, which are all there, in one query."""
        query = f"SELECT {_COLUMNS} FROM records WHERE row IN (SELECT value FROM json_each(?))"  # noqa: S608
        with self._reads() as connection:
            found = {row[0]: self._row(row) for row in connection.execute(query, (json.dumps(rows),))}
        if len(found) != len(set(rows)):
            raise self._damaged("records of the index are missing in it")
        return found

    def matching(self, where: Filter) -> NDArray[np.int64]:
        """The rows of which a filter is true, ascending. Their checksums are looked at when they are fetched.

        What was found once is kept, and only what has changed since is looked at again.
        """
        kept = self._matched.get(where)
        if kept is not None and kept.version == self.state().seq:
            return kept.rows
        # A connection of its own: nobody else waits for as long as it takes.
        with guarded(self._name), closing(connect(self._path)) as connection:
            connection.execute("BEGIN")
            version = self._state(connection).seq
            kept = self._matched.get(where)  # after the version: of all that is in it, changes are known by now
            found = scan(connection, where, None if kept is None else kept.changed)
        more = [row.row for row in self._rows(found.unsure) if matches(where, row.record)]
        rows = np.union1d(found.true, np.array(more, np.int64))
        if kept is not None:
            rows = np.union1d(np.setdiff1d(kept.rows, kept.changed, assume_unique=True), rows)
        self._matched.keep(where, version, rows)
        return rows

    def _rows(self, rows: NDArray[np.int64]) -> Iterator[Row]:
        for start in range(0, len(rows), CHUNK_ROWS):
            yield from self.fetch(rows[start : start + CHUNK_ROWS].tolist()).values()

    def page(self, limit: int, after: str | None) -> list[Record]:
        """The first `limit` records in the order of their ids, or the first after an id, which need not be there."""
        query = f"SELECT {_COLUMNS} FROM records WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608
        with self._reads() as connection:
            # No id is empty, so every id comes after the empty one.
            return [self._row(row).record for row in connection.execute(query, (after or "", limit))]

    def chunks(self, until: int | None = None) -> Generator[tuple[NDArray[np.int64], Vectors]]:
        """All rows, ascending, and vectors of one moment, some thousands at a time, every row checked.

        until: only those that were stored by then, a sequence number.
        """
        # The plus keeps SQLite from going through the whole table in the order of an index.
        return self._chunks("records") if until is None else self._chunks("records WHERE +seq <= ?", until)

    def changes(self, since: int) -> Generator[tuple[NDArray[np.int64], Vectors]]:
        """The same for what was stored after a sequence number."""
        with guarded(self._name):
            self._writer.execute(_BY_SEQ.replace("INDEX", "INDEX IF NOT EXISTS", 1))
        return self._chunks("records INDEXED BY records_by_seq WHERE seq > ?", since)  # else it may read every row

    def unchanged(self, since: int) -> NDArray[np.int64]:
        """The rows, ascending, that were stored by a sequence number and are there still."""
        with self._reads() as connection:
            rows = connection.execute("SELECT row FROM records WHERE seq <= ?", (since,))
            return np.sort(np.fromiter((row for (row,) in rows), np.int64))

    def _chunks(self, source: str, *parameters: int) -> Generator[tuple[NDArray[np.int64], Vectors]]:
        with guarded(self._name), closing(connect(self._path)) as connection:  # nobody waits for it
            query = f"SELECT {_COLUMNS} FROM {source} ORDER BY row"  # noqa: S608
            cursor = connection.execute(query, parameters)
            while part := cursor.fetchmany(CHUNK_ROWS):
                vectors = b"".join(self._whole(row)[-2] for row in part)
                rows = np.array([row[0] for row in part], np.int64)
                yield rows, np.frombuffer(vectors, "<f4").reshape(len(part), -1).astype(np.float32)

    def receipt(self, once: Once) -> Receipt | None:
        """Of the batch with this key, if it is stored. Raises `BatchKeyReused` where it was another batch."""
        with self._reads() as connection:
            try:
                found = batches.find(connection, once.key)
            except ValueError as error:
                raise self._damaged(str(error)) from None
        if found is not None and found[0] != once.digest:
            raise BatchKeyReused(f"the key {once.key!r} was used for another batch of collection {self._name!r}")
        return None if found is None else found[1]

    def put(self, records: Sequence[Record], vectors: Vectors, once: Once | None = None) -> Change:
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
            change = self._advance(connection, State(seq, state.count + len(rows) - len(gone)), gone, rows)
            if once is not None:
                batches.remember(connection, once, change.receipt)
            return change

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
        with guarded(self._name):
            try:
                self._writer.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise

    def trim(self) -> bool:
        """Move a log that has become long into the table, as far as readers allow; whether it was so long."""
        try:
            long = self._log.stat().st_size > LOG_BYTES
        except FileNotFoundError:
            return False
        if long:
            with suppress(sqlite3.Error):  # what is stored is stored: the next one tries again
                self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return long

    def checkpoint(self) -> None:
        """Move the log into the table, as far as readers allow."""
        with guarded(self._name):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def copy(self, path: Path) -> None:
        """Write a new file without gaps, durably, of all that is stored at this moment; nobody waits for it."""
        with guarded(self._name), closing(connect(self._path)) as connection:
            connection.execute("VACUUM INTO ?", (str(path),))
        files.sync(path)
        files.sync_directory(path.parent)

    def uris(self) -> set[str]:
        """Of all records; every row is checked."""
        with guarded(self._name), closing(connect(self._path)) as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM records")  # noqa: S608
            return {uri for row in rows if (uri := self._row(row).record.uri) is not None}

    def renumber(self, seq: int) -> State:
        """Make it of this version, durably, whatever it was."""
        with self._writes() as (connection, state):
            self._advance(connection, State(seq, state.count), [], [])
            self.commit()
            return State(seq, state.count)

    def close(self) -> None:
        with self._reading:
            self._reader.close()
        self._writer.close()

    def _advance(self, connection: sqlite3.Connection, state: State, gone: list[int], rows: list[int]) -> Change:
        values = (state.seq, state.count)
        connection.execute("UPDATE state SET seq = ?, count = ?, checksum = ?", (*values, _checksum(values)))
        change = Change(state, np.array(gone, np.int64), np.array(rows, np.int64))
        self._matched.change(state.seq, np.concatenate([change.gone, change.rows]))
        return change

    def _state(self, connection: sqlite3.Connection) -> State:
        rows = connection.execute("SELECT seq, count, checksum FROM state").fetchall()
        if len(rows) != 1 or _checksum(rows[0][:2]) != rows[0][2]:
            raise self._damaged("its sequence counter is wrong")
        return State(*rows[0][:2])

    def _row(self, values: tuple[Any, ...]) -> Row:
        row, id, uri, caption, metadata, _, vector, _ = self._whole(values)
        return Row(row, Record(id, uri, caption, json.loads(metadata)), np.frombuffer(vector, "<f4").astype(np.float32))

    def _whole(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        *fields, vector, checksum = values
        if not isinstance(vector, bytes) or len(vector) != self._bytes or _checksum(fields, vector) != checksum:
            raise self._damaged(f"the checksum of row {fields[0]} is wrong")
        return values

    @contextmanager
    def _reads(self) -> Iterator[sqlite3.Connection]:
        with self._reading, guarded(self._name):
            yield self._reader

    @contextmanager
    def _writes(self) -> Iterator[tuple[sqlite3.Connection, State]]:
        with guarded(self._name):
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
        return damage(self._name, reason)


def _find(connection: sqlite3.Connection, columns: str, id: str) -> Any:
    try:
        return connection.execute(f"SELECT {columns} FROM records WHERE id = ?", (id,)).fetchone()  # noqa: S608
    except UnicodeEncodeError:  # no stored id has half a surrogate pair in it
        return None


def _checksum(values: Sequence[object], blob: bytes = b"") -> int:
    # ascii() is the same in every version of Python; repr() follows its Unicode tables.
    return zlib.crc32(blob, zlib.crc32(ascii(tuple(values)).encode()))
