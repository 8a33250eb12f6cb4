"""A corpus as a folder: which of a million files are there, and the lists that name them."""

from __future__ import annotations

import errno
import os
import posixpath
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from training.datasets.names import printable
from training.datasets.sources import FileSource, Source
from training.errors import DatasetError

NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
MOST_LIST_BYTES = 1 << 32  # of one list; those of SpokenCOCO have a quarter of a gigabyte

Content = TypeVar("Content", bound=BaseModel)


class Folder:
    """The files below `root`. Every folder is listed once: asking for each file alone takes hours on a network."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DatasetError(f"there is no folder {printable(root)}")
        self.root = root
        self._names = dict[str, frozenset[str]]()

    def names(self, folder: str) -> frozenset[str]:
        """The files in one folder; none where there is no such folder. Raises `DatasetError` if it is closed."""
        if folder not in self._names:
            self._names[folder] = _files_in(self.root / folder)
        return self._names[folder]

    def has(self, path: str) -> bool:
        folder, name = posixpath.split(path)
        return name in self.names(folder)

    def holds(self, source: Source) -> bool:
        """Whether what `source` of this folder returned is there."""
        return isinstance(source, FileSource) and self.has(source.path)

    def source(self, path: str) -> FileSource:
        return FileSource(self.root, path)

    def bytes_of(self, path: str) -> bytes:
        """A list, whole. Raises `DatasetError`."""
        return read_list(self.root / path)

    def text_of(self, path: str) -> str:
        """A list of UTF-8 text. Raises `DatasetError`."""
        return utf8(self.bytes_of(path), path)

    def json_of(self, path: str, shape: type[Content]) -> Content:
        """A list in JSON. Raises `DatasetError`, with the first place that is not as it should be."""
        return parse_json(self.bytes_of(path), shape, path)


def read_list(path: Path) -> bytes:
    """A list, whole. Raises `DatasetError`."""
    try:
        if not path.is_file():
            raise DatasetError(f"there is no file {printable(path)}")
        if (size := path.stat().st_size) > MOST_LIST_BYTES:
            raise DatasetError(f"{printable(path)} has {size:,} bytes; {MOST_LIST_BYTES:,} are the most")
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{printable(path)} cannot be read: {error.strerror or error}") from error


def utf8(data: bytes, name: str) -> str:
    """The text, without a byte order mark. Raises `DatasetError`."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{printable(name)} is not UTF-8 text: byte {error.start} does not fit") from error


def parse_json(data: bytes, shape: type[Content], where: str) -> Content:
    """JSON of a shape. Raises `DatasetError`, with the first place that is not as it should be."""
    try:
        return shape.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        at = f" at {place}" if place else ""
        raise DatasetError(printable(f"{where} is not as it should be{at}: {first['msg']}")) from None


def _files_in(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries if entry.is_file())
    # A name that no file system can hold.
    except ValueError:
        return frozenset()
    except OSError as error:
        if error.errno in NOT_THERE:
            return frozenset()
        raise DatasetError(f"{printable(folder)} cannot be listed: {error.strerror or error}") from error
