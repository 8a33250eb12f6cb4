"""Arrays on disk under the digest of what they were made of: appended, checked, and mapped into memory.

    <name>.data      the arrays, end to end
    <name>.journal   a line for each, written once the array has reached the disk

What a process that was killed left unfinished is cut off by the next one that adds.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from training.published.errors import TrainingError

Array = NDArray[Any]


class Entry(NamedTuple):
    """length: of what it was made of, in samples of audio; offset: in bytes; check: CRC-32 of the bytes."""

    key: str
    length: NonNegativeInt
    offset: NonNegativeInt
    shape: tuple[PositiveInt, ...]
    check: NonNegativeInt


_LINE = TypeAdapter(Entry)


@dataclass(frozen=True)
class Made:
    """An array, and the length of what it was made of."""

    array: Array
    length: int


class Records:
    """Arrays of one type. Any number of processes may read, and one may add; none sees what others add meanwhile.

    path: without a suffix. Raises `TrainingError` where the files cannot be read.
    """

    def __init__(self, path: Path, dtype: type[np.generic]) -> None:
        self._data, self._journal = Path(f"{path}.data"), Path(f"{path}.journal")
        self._dtype = np.dtype(dtype)
        self._entries = dict[str, Entry]()
        self._end, self._written = 0, 0  # bytes of either file
        try:
            self._load()
        except OSError as error:
            raise TrainingError(f"{self._journal} cannot be read: {error.strerror or error}") from error

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def length(self, key: str) -> int:
        """Of what it was made of."""
        return self._entries[key].length

    def add(self, made: Mapping[str, Made]) -> None:
        """All of them, on the disk when this returns. Raises `TrainingError` where it is full, for example."""
        entries, arrays, end = list[Entry](), list[Array](), self._end
        for key, one in made.items():
            array = np.ascontiguousarray(one.array, self._dtype)
            entries.append(Entry(key, one.length, end, array.shape, zlib.crc32(array.data)))
            arrays.append(array)
            end += array.nbytes
        try:
            self._end = _append(self._data, self._end, [array.data for array in arrays])
            self._written = _append(self._journal, self._written, [_LINE.dump_json(one) + b"\n" for one in entries])
        except OSError as error:
            raise TrainingError(f"{self._data} cannot be written: {error.strerror or error}") from error
        self._entries |= {entry.key: entry for entry in entries}

    def read(self, key: str) -> Array:
        """The array, mapped into memory; what is written to it never reaches the disk.

        Raises `TrainingError` where it is not what was added.
        """
        entry = self._entries[key]
        try:
            array = np.memmap(self._data, self._dtype, "c", entry.offset, entry.shape)
        except (OSError, ValueError) as error:  # it is gone, or shorter than it was
            raise TrainingError(f"{self._data} cannot be read: {error}") from error
        if zlib.crc32(array.data) != entry.check:
            raise TrainingError(f"{self._data} is damaged; delete it, and what it held is computed anew")
        return array

    def _load(self) -> None:
        """All entries up to the first that is not whole."""
        size = self._data.stat().st_size if self._data.exists() else 0
        lines = self._journal.read_bytes().splitlines(keepends=True) if self._journal.exists() else []
        for line in lines:
            entry = _entry(line)
            if entry is None or entry.offset != self._end:
                return
            end = self._end + self._dtype.itemsize * int(np.prod(entry.shape))
            if end > size:
                return
            self._entries[entry.key] = entry
            self._end, self._written = end, self._written + len(line)


def _entry(line: bytes) -> Entry | None:
    try:
        return _LINE.validate_json(line) if line.endswith(b"\n") else None
    except ValidationError:
        return None


def _append(path: Path, end: int, parts: Sequence[memoryview | bytes]) -> int:
    """Whatever is behind `end` makes place for `parts`; returns where they end."""
    with path.open("ab") as file:
        file.truncate(end)
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()
