"""A folder that appears with all that is in it, or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import ConversionError

_GIB = 1 << 30


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path`, to be filled; it becomes `path` if nothing is raised, and is gone otherwise.

    After a kill it stays until the next try, which clears it. Raises `ConversionError`: `path` exists, somebody else
    is making it, or the disk refuses.
    """
    require_free_name(path)
    work = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _owned(work):
            try:
                yield work
                _publish(work, path)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise ConversionError(f"{path} cannot be written: {error.strerror or error}") from error


def require_free_name(path: Path) -> None:
    if os.path.lexists(path):
        raise ConversionError(f"{path} is there already: choose another name, or move or delete it first")


def require_space(path: Path, needed: int) -> None:
    """Raise `ConversionError` unless there are `needed` bytes free where `path` is."""
    if (free := shutil.disk_usage(path).free) < needed:
        raise ConversionError(
            f"no room for the model in {path.parent}: it needs {needed / _GIB:.2f} GiB, {free / _GIB:.2f} GiB are free"
        )


@contextmanager
def _owned(work: Path) -> Iterator[None]:
    """The folder, empty, and nobody else's. The lock goes with the process, however that ends."""
    work.mkdir(exist_ok=True)
    handle = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.path.samestat(os.fstat(handle), os.lstat(work))
        except (BlockingIOError, FileNotFoundError):
            mine = False
        if not mine:
            raise ConversionError(f"{work} is in use: another conversion is making this model")
        for left in work.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        yield
    finally:
        os.close(handle)


def _publish(work: Path, path: Path) -> None:
    require_free_name(path)
    for file in (*work.iterdir(), work):
        _sync(file)
    work.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
