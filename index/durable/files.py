"""Files that are whole or not there: written aside, synchronised, renamed."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
    _put(path, path.with_name(f".{path.name}.new"), write)
    sync_directory(path.parent)


def put(path: Path, write: Callable[[Path], object]) -> None:
    """The same for one of many, by any number of writers at the same time: whoever is last has the place. Its name is
    durable only when the caller has synchronised the folder.
    """
    _put(path, path.with_name(f".{path.name}.{uuid.uuid4().hex}.new"), write)


def _put(path: Path, new: Path, write: Callable[[Path], object]) -> None:
    try:
        write(new)
        sync(new)
        os.replace(new, path)
    except BaseException:
        # A disk that is full is not to stay so because of what did not fit.
        new.unlink(missing_ok=True)
        raise


def sync_directory(path: Path) -> None:
    """Make the names in a folder durable: a rename alone is not."""
    sync(path)


def sync(path: Path) -> None:
    """Make what is in a file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size(folder: Path, which: str = "**/*") -> int:
    """The bytes of all files below a folder, or of some; what goes away meanwhile does not count."""
    total = 0
    for path in folder.glob(which):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total
