"""SQLite as the records need it: connections that are durable, and errors that say what is wrong."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import CollectionDamaged, StorageFailed

_REMEDY = "restore the collection's folder from a copy, or delete the collection and index its items again"

# What SQLite reports when the file may well be whole and only the machine is in the way.
_OBSTACLES = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_TOOBIG,
})  # fmt: skip


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """What SQLite reports inside becomes `StorageFailed`, or `CollectionDamaged` of the collection of that name."""
    try:
        yield
    except sqlite3.Error as error:
        # Errors that the Python module raises itself, undecodable text for one, have no code: they mean damage.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _OBSTACLES:
            raise StorageFailed(f"records.sqlite of {name!r}: {error}") from error
        raise damage(name, str(error)) from error
    except UnicodeDecodeError as error:  # SQLite quoted damaged text in its own message
        raise damage(name, str(error)) from error


def damage(name: str, reason: str) -> CollectionDamaged:
    """The records of a collection are not as they were written."""
    return CollectionDamaged(f"the records.sqlite of {name!r} is damaged: {reason}; {_REMEDY}")


def connect(path: Path) -> sqlite3.Connection:
    """Open a file that is there, for any thread."""
    # mode=rw: a missing file is an error, not a new empty one.
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Write ahead, and wait for the disk."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # The log is moved into the file by `Table.trim`, which is to know when the file changes, and starts short again.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA journal_size_limit = 0")
