"""What a source consists of: items, each small and cheap to send to another process, and what cannot be one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from index.manifest import Kind
from index.records import Record

STAMP = "_source"
"""The name in a record's metadata under which it says which state of which file it was made from."""
MAX_ROW = 1 << 20  # bytes: a row of a table, a line, or what a tar says about one sample
MAX_MEDIA = 256 << 20  # bytes: one image or recording

# What steers a terminal, and halves of surrogate pairs, which no file can be written with.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
MAX_REASON = 500  # characters


@dataclass(frozen=True, slots=True)
class File:
    """A file of its own."""

    path: Path


@dataclass(frozen=True, slots=True)
class Slice:
    """`size` bytes at `offset` of a file: a member of a tar."""

    path: Path
    offset: int
    size: int


Content = File | Slice | NDArray[np.float32] | None
"""Where an item's media is; or its vector (E,); or None where the record's caption is what is embedded."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record to be. `where`: its place, for people; `weight`: how many bytes of its source it stands for."""

    record: Record
    content: Content
    where: str
    weight: float


@dataclass(frozen=True, slots=True)
class Bad:
    """A place in a source that cannot become a record, and why."""

    where: str
    reason: str
    weight: float = 0.0


Found = Item | Bad


class Source(Protocol):
    """One argument of the command. Every iteration reads it anew, in memory that does not depend on its size."""

    name: str
    """For people."""
    kinds: tuple[Kind, ...]
    """What its items can be; the first is what they are unless somebody says otherwise."""
    root: Path | None
    """The folder that paths of its records are relative to, unless the collection has another above it."""

    def size(self) -> int:
        """The sum of its items' weights, nearly. Raises `OSError`."""
        ...

    def items(self, kind: Kind, root: Path | None) -> Iterator[Found]:
        """As records of one kind; paths relative to `root`."""
        ...


def bad(where: str, error: Exception, weight: float = 0.0) -> Bad:
    """What an exception means to whoever made the source."""
    reason = error.strerror if isinstance(error, OSError) else None
    return Bad(where, reason or str(error) or type(error).__name__, weight)


def printable(text: str) -> str:
    """As it can go to a terminal or into a report, and not without end."""
    return UNPRINTABLE.sub("\ufffd", text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}…")


def file_stamp(status: os.stat_result) -> dict[str, JsonValue]:
    """By which a file is known to be as it was."""
    return {"bytes": status.st_size, "modified": status.st_mtime}


def stamped(metadata: Mapping[str, JsonValue], stamp: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Metadata that says what the record was made from. Raises `ValueError` where it has that name already."""
    if STAMP in metadata:
        raise ValueError(f"{STAMP} is a name that indexing keeps for itself")
    return {**metadata, STAMP: dict(stamp)}


def below(path: str, folder: Path, root: Path) -> str:
    """A path, as told by a file in `folder`, relative to `root`; links are not followed.

    Raises `ValueError` for one that leads out of it, or is none.
    """
    if not path or "\0" in path:
        raise ValueError("it has an empty path" if not path else "its path has a NUL in it")
    whole = Path(os.path.normpath(folder / path))
    if whole == root or not whole.is_relative_to(root):
        raise ValueError(f"its path {path!r} leads out of {root}")
    return whole.relative_to(root).as_posix()
