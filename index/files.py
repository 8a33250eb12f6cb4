"""Files that are whole or not there: written aside, synchronised, renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import StorageFailed


@contextmanager
def storage(what: str) -> Iterator[None]:
    """Whatever the operating system refuses inside becomes `StorageFailed`."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{what}: {error.strerror or error}") from error


def replace(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new file, then put it in `path`'s place, durably. A kill leaves the old or the new one."""
    new = path.with_name(f".{path.name}.new")
    write(new)
    _sync(new)
    os.replace(new, path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a folder durable: a rename alone is not."""
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
