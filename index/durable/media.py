"""Media that a collection keeps itself: files named by what is in them, in a folder beside its records."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from index.durable import files

logger = logging.getLogger(__name__)

FOLDER = "media"
SCHEME = "media:"
_NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,8}")
_HALF = re.compile(rf"\.{_NAME.pattern}(\.[0-9a-f]{{32}})?\.new")


def name_of(data: bytes, suffix: str) -> str:
    """What a file with these bytes is called; the suffix, such as ``".png"``, says what they are."""
    return f"{hashlib.sha256(data).hexdigest()}{suffix}"


def digest_in(name: str) -> str:
    """What the bytes of a file of this name are to have for a checksum."""
    return name.partition(".")[0]


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


class Media:
    """The files of one collection, `<folder>/media/<two digits>/<sha256>.<suffix>`; in a record, `media:<name>`.

    A file is there wholly or not at all, and stays until it is swept. OSErrors are the caller's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / FOLDER
        self._counting = threading.Lock()
        self._changes = 0
        """How many changes have begun; `_under_way`: and have not ended."""
        self._under_way = 0
        self._bytes: int | None = None

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Store files by name, durably. One that is there already is written again: it may be damaged."""
        with self._changing():
            for name, data in contents.items():
                path = self.prepare(name)
                before = _bytes_of(path)
                files.put(path, partial(_write, data))
                self._count(len(data) - before)
            self.sync(contents)

    def prepare(self, name: str) -> Path:
        """Where a file belongs; the folder is there, though not yet durably so."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def sync(self, names: Iterable[str]) -> None:
        """Make the names of files durable."""
        folders = {self._path(name).parent for name in names}
        for folder in sorted(folders | {folder.parent for folder in folders}):
            files.sync_directory(folder)
        if folders:
            files.sync_directory(self._folder)

    def path(self, uri: str | None) -> Path | None:
        """The file of a record's uri; None when the uri is of another kind or the file is not here."""
        if uri is None or not uri.startswith(SCHEME) or not is_name(name := uri.removeprefix(SCHEME)):
            return None
        path = self._path(name)
        return path if path.is_file() and not path.is_symlink() else None

    def intact(self, uri: str | None) -> Path | None:
        """The same, of a file that is as it was kept; of one that is not, the log tells."""
        path = self.path(uri)
        if path is None or files.sha256(path) == digest_in(path.name):
            return path
        logger.warning("%s is damaged, and takes no part in a snapshot", path)
        return None

    def sweep(self, used: Container[str]) -> tuple[int, int]:
        """Delete every file whose uri is not among `used`, half written ones too. How many, and their bytes."""
        gone = [path for path in self._files() if SCHEME + path.name not in used]
        size = sum(path.stat().st_size for path in gone)
        with self.replaced():
            for path in gone:
                path.unlink()
        return len(gone), size

    def size(self) -> int:
        """The bytes of all files, those that are no longer used too. Looked at once, and then kept up with.

        Nobody waits for the looking: where something changes meanwhile, what was seen is told and looked at again.
        """
        with self._counting:
            if self._bytes is not None:
                return self._bytes
            quiet, changes = not self._under_way, self._changes
        seen = sum(self._sizes())
        with self._counting:
            if quiet and changes == self._changes:
                self._bytes = seen
        return seen

    @contextmanager
    def replaced(self) -> Iterator[None]:
        """While files are put here, or taken away, by somebody else: their size has to be looked at again."""
        with self._changing():
            try:
                yield
            finally:
                with self._counting:
                    self._bytes = None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._counting:
            self._changes += 1
            self._under_way += 1
        try:
            yield
        finally:
            with self._counting:
                self._under_way -= 1

    def _count(self, more: int) -> None:
        with self._counting:
            if self._bytes is not None:
                self._bytes += more

    def _files(self) -> Iterator[Path]:
        """All that were made here, and what a kill left of some; not what somebody else put there."""
        for path in sorted(self._root.glob("[0-9a-f][0-9a-f]/*")):
            if (is_name(path.name) or _HALF.fullmatch(path.name)) and path.is_file():
                yield path

    def _sizes(self) -> Iterator[int]:
        """Of the same, and four times as quick: there may be a million."""
        for folder in self._root.glob("[0-9a-f][0-9a-f]"):
            with os.scandir(folder) as entries:
                for entry in entries:
                    # Halves that become whole ones, and what is swept, may be gone.
                    with suppress(FileNotFoundError):
                        yield entry.stat(follow_symlinks=False).st_size

    def _path(self, name: str) -> Path:
        if not is_name(name):
            raise ValueError(f"{name!r} is no name of kept media")
        return self._root / name[:2] / name


def _bytes_of(path: Path) -> int:
    """0 where there is none, or no longer."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _write(data: bytes, path: Path) -> None:
    path.write_bytes(data)
