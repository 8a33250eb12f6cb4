"""What lies where in a tar file, found without unpacking anything."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from training.datasets.names import printable
from training.errors import DatasetError

# What tarfile raises on damaged headers: RecursionError on a chain of long names, the rest on impossible numbers.
DAMAGE = (tarfile.TarError, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Member:
    """A file in a tar file: `size` bytes at `offset`. The name has escapes for bytes that are not UTF-8."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Contents:
    """`members`: all that are whole, in their order. `damage`: why there may be more that cannot be read, if so."""

    members: Sequence[Member]
    damage: str | None


def contents(path: Path) -> Contents:
    """The files in a tar file that is not compressed. Raises `DatasetError` where it cannot be opened."""
    members, damage = list[Member](), None
    try:
        with path.open("rb") as file:
            # One at a time: what comes before the damage is kept.
            for member in _members(_Bounded(file)):
                members.append(member)
    except DAMAGE as error:
        damage = printable(str(error) or type(error).__name__)
    except OSError as error:
        raise DatasetError(f"{printable(path)} cannot be read: {error.strerror or error}") from error
    return Contents(members, damage)


class _Bounded(io.BufferedIOBase):
    """A file that hands out no more than it has: tarfile asks for as many bytes as a header says, and gets memory."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self.last = b""  # what the last read gave
        file.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        self.last = self._file.read(max(0, min(size or 0, self.size - self._file.tell())))
        return self.last

    def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()


def _members(file: _Bounded) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:") as tar:
        end = 0
        while info := tar.next():
            start, end = end, info.offset_data + info.size
            if info.size < 0 or info.offset < start:
                raise tarfile.ReadError(f"the header at byte {info.offset} makes no sense")
            if end > file.size:
                raise tarfile.ReadError(f"it breaks off within {info.name}")
            if info.isreg() and not info.issparse():
                yield Member(printable(info.name), info.offset_data, info.size)
            tar.members.clear()  # type: ignore[attr-defined]  # or it keeps every header
        # tarfile takes whatever is no header for the end, but tar files end with a block of zeros.
        if file.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"it breaks off after byte {end}, or is damaged there")
