"""Where the bytes of a recording or an image are: small, and cheap to send to another process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from training.datasets.names import printable
from training.errors import DatasetError

MOST_BYTES = 1 << 28  # of one recording or image; hours of speech have less


class Source(Protocol):
    """The bytes of one file."""

    @property
    def name(self) -> str:
        """Printable, and the same wherever the corpus lies."""
        ...

    def read(self) -> bytes:
        """All of them. Raises `DatasetError`, also where the file was there when the corpus was opened."""
        ...


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file of its own, at `path` below `root`."""

    root: Path
    path: str

    @property
    def name(self) -> str:
        return printable(self.path)

    @property
    def where(self) -> Path:
        """The path to open it by."""
        return Path(self.root, self.path)

    def read(self) -> bytes:
        try:
            with self.where.open("rb") as file:
                return _read(file, os.fstat(file.fileno()).st_size, self.name)
        except OSError as error:
            raise DatasetError(f"{self.name} cannot be read: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class TarSource:
    """A member of the tar file `tar`: `size` bytes at `offset`."""

    tar: FileSource
    member: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        return f"{self.tar.name}/{printable(self.member)}"

    def read(self) -> bytes:
        try:
            with self.tar.where.open("rb") as file:
                file.seek(self.offset)
                return _read(file, self.size, self.name)
        except OSError as error:
            raise DatasetError(f"{self.name} cannot be read: {error.strerror or error}") from error


def _read(file: BinaryIO, size: int, name: str) -> bytes:
    if size > MOST_BYTES:
        raise DatasetError(f"{name} has {size:,} bytes; {MOST_BYTES:,} are the most")
    data = file.read(size)
    if len(data) < size:
        raise DatasetError(f"{name} broke off: {len(data):,} of {size:,} bytes are there")
    return data
