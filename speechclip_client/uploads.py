"""Files on their way to the service: read piece by piece, once for every try, and never held whole."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import uuid
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from speechclip_client.errors import UploadFailed

File = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes of a file, or a file object opened in binary mode, which is read from where it stands."""

PIECE = 3 * 32_768  # bytes; a multiple of 3, which base64 makes 4 characters of


class Body(Protocol):
    """What a request carries."""

    @property
    def content_type(self) -> str: ...

    @property
    def length(self) -> int | None:
        """Bytes; None where it is not known."""
        ...

    @property
    def replayable(self) -> bool:
        """Whether it can be sent more than once."""
        ...

    @property
    def in_memory(self) -> bool:
        """Whether its pieces come without waiting for a disk."""
        ...

    def pieces(self) -> Generator[bytes]:
        """All of it, from the start. Raises `UploadFailed`."""
        ...


class Upload(ABC):
    """The bytes of one file."""

    replayable = True
    in_memory = False

    @property
    @abstractmethod
    def length(self) -> int | None:
        """Bytes; None of a stream. Raises `UploadFailed`."""

    @abstractmethod
    def pieces(self) -> Iterator[bytes]:
        """From the start; each but the last has a multiple of three bytes. Raises `UploadFailed`."""

    def base64(self) -> Iterator[bytes]:
        """The same as text."""
        return (base64.b64encode(piece) for piece in self.pieces())


def upload(file: File) -> Upload:
    """Raises TypeError for what is no file."""
    if isinstance(file, bytes):
        return _Bytes(file)
    if isinstance(file, str | os.PathLike):
        return _Path(Path(file))
    if not callable(getattr(file, "read", None)) or hasattr(file, "encoding"):
        raise TypeError("a file is a path, bytes, or a file object opened in binary mode")
    return _Stream(file)


class _Bytes(Upload):
    in_memory = True

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def length(self) -> int:
        return len(self._data)

    def pieces(self) -> Iterator[bytes]:
        yield self._data


class _Path(Upload):
    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def length(self) -> int:
        with _reading(self._path):
            status = self._path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UploadFailed(f"{self._path} is no regular file: open it, and give the file object")
        return status.st_size

    def pieces(self) -> Iterator[bytes]:
        with _reading(self._path), self._path.open("rb") as opened:
            yield from _read(opened)


class _Stream(Upload):
    """A file object; one that can be set back is, for every try, to where it stood at first."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.replayable = file.seekable()
        self._start = file.tell() if self.replayable else 0

    @property
    def length(self) -> int | None:
        if not self.replayable:
            return None
        with _reading("the file"):
            end = self._file.seek(0, os.SEEK_END)
            self._file.seek(self._start)
        return end - self._start

    def pieces(self) -> Iterator[bytes]:
        with _reading("the file"):
            if self.replayable:
                self._file.seek(self._start)
            yield from _read(self._file)


@dataclass(frozen=True)
class FileBody:
    """A file as it is; `content_type` says whether it is audio or an image."""

    upload: Upload
    content_type: str

    @property
    def length(self) -> int | None:
        return self.upload.length

    @property
    def replayable(self) -> bool:
        return self.upload.replayable

    @property
    def in_memory(self) -> bool:
        return self.upload.in_memory

    def pieces(self) -> Generator[bytes]:
        yield from self.upload.pieces()


class JsonBody:
    """JSON in which files stand as base64; they are read when their turn comes."""

    content_type = "application/json"

    def __init__(self, values: Any) -> None:
        """values: what `json.dumps` takes, and `Upload`s among it. Raises ValueError for numbers that are none."""
        self._uploads: list[Upload] = []
        mark = uuid.uuid4().hex  # nobody can have written it into a text
        text = json.dumps(values, allow_nan=False, separators=(",", ":"), default=lambda one: self._place(one, mark))
        self._texts = [part.encode() for part in re.split(f"{mark}[0-9]+;", text)]

    @property
    def length(self) -> int | None:
        sizes = [upload.length for upload in self._uploads]
        if any(size is None for size in sizes):
            return None
        return sum(map(len, self._texts)) + sum(4 * -(-size // 3) for size in sizes if size is not None)

    @property
    def replayable(self) -> bool:
        return all(upload.replayable for upload in self._uploads)

    @property
    def in_memory(self) -> bool:
        return all(upload.in_memory for upload in self._uploads)

    def pieces(self) -> Generator[bytes]:
        yield self._texts[0]
        for upload, text in zip(self._uploads, self._texts[1:], strict=True):
            yield from upload.base64()
            yield text

    def _place(self, value: object, mark: str) -> str:
        if not isinstance(value, Upload):
            raise TypeError(f"{type(value).__name__} cannot be sent as JSON")
        self._uploads.append(value)
        return f"{mark}{len(self._uploads)};"


def _read(file: BinaryIO) -> Iterator[bytes]:
    """Pieces of the same size, though some streams give less at a time than they are asked for."""
    gathered = bytearray()
    while data := file.read(PIECE - len(gathered)):
        gathered += data
        if len(gathered) == PIECE:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


@contextmanager
def _reading(what: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UploadFailed(f"{what} cannot be read: {error.strerror or error}") from error
