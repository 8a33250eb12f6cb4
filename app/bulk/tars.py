"""The members of a tar file, one after the other, with nothing unpacked."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# What `tarfile` raises on headers that make no sense.
DAMAGE = (tarfile.TarError, ValueError, OverflowError, RecursionError)
MAX_HEADER = 1 << 20  # bytes that may be said about one member


class DamagedTar(Exception):
    """There may be more members than were found."""


@dataclass(frozen=True, slots=True)
class Member:
    """`size` bytes at `offset`. `problem`: why they are not the content of a file, where they are not.

    `end`: the offset at which the next member's header begins.
    """

    name: str
    offset: int
    size: int
    end: int
    problem: str = ""


def members(path: Path) -> Iterator[Member]:
    """All members that are no folders, in their order.

    Raises `DamagedTar` after those that come before the damage, and `OSError`.
    """
    with path.open("rb") as file:
        try:
            yield from _members(_Headers(file))
        except DAMAGE as error:
            raise DamagedTar(str(error) or type(error).__name__) from error


def _members(file: _Headers) -> Iterator[Member]:
    with tarfile.open(fileobj=file, mode="r:") as tar:
        end = 0
        while info := _next(tar, file):
            if info.size < 0 or info.offset < end:
                raise tarfile.ReadError(f"the header at byte {info.offset:,} makes no sense")
            # The size of a sparse file is that which it would unpack to.
            end = info.offset_data + (0 if info.issparse() else info.size)
            if end > file.size:
                raise tarfile.ReadError(f"it breaks off within {info.name!r}")
            if not info.isdir():
                yield Member(info.name, info.offset_data, info.size, end, _problem(info))
        if file.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"it breaks off after byte {end:,}, or is damaged there")


def _next(tar: tarfile.TarFile, file: _Headers) -> tarfile.TarInfo | None:
    file.allowance = MAX_HEADER
    tar.members.clear()  # type: ignore[attr-defined]  # or it keeps every header it has read
    return tar.next()


def _problem(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "it is a link: only files are read out of a tar"
    if info.issparse():
        return "it is a sparse file, which is not read here"
    return "" if info.isreg() else "it is no file"


class _Headers(io.BufferedIOBase):
    """A file for `tarfile`, which asks for as many bytes as a header says that there are, or for ever more.

    It gets `allowance` bytes, and none behind the end of the file. `last` is what it got last.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        self.allowance, self.last = MAX_HEADER, b""
        file.seek(0)

    def read(self, size: int | None = -1, /) -> bytes:
        size = min(size or 0, self.allowance, self.size - self._file.tell())
        self.last = self._file.read(max(0, size))
        self.allowance -= len(self.last)
        return self.last

    def seek(self, position: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()
