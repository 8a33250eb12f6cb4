"""Media that a collection keeps itself: files named by what is in them, in a folder beside its records."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from index.durable import files

FOLDER = "media"
SCHEME = "media:"
_NAME = re.compile(r"[0-9a-f]{64}\.[a-z0-9]{1,8}")


def name_of(data: bytes, suffix: str) -> str:
    """What a file with these bytes is called; the suffix, such as ``".png"``, says what they are."""
    return f"{hashlib.sha256(data).hexdigest()}{suffix}"


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


class Media:
    """The files of one collection, `<folder>/media/<two digits>/<sha256>.<suffix>`; in a record, `media:<name>`.

    A file is there wholly or not at all, and stays until it is swept. OSErrors are the caller's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = folder / FOLDER

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Store files by name, durably. One that is there already is written again: it may be damaged."""
        for name, data in contents.items():
            files.put(self.prepare(name), partial(_write, data))
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

    def sweep(self, used: Container[str]) -> tuple[int, int]:
        """Delete every file whose uri is not among `used`, half written ones too. How many, and their bytes."""
        gone = [path for path in self._files() if SCHEME + path.name not in used]
        size = sum(path.stat().st_size for path in gone)
        for path in gone:
            path.unlink()
        return len(gone), size

    def _files(self) -> Iterator[Path]:
        """All that were made here, and what a kill left of some; not what somebody else put there."""
        for path in sorted(self._root.glob("[0-9a-f][0-9a-f]/*")):
            name = path.name.removeprefix(".").removesuffix(".new")
            if is_name(name) and path.is_file():
                yield path

    def _path(self, name: str) -> Path:
        if not is_name(name):
            raise ValueError(f"{name!r} is no name of kept media")
        return self._root / name[:2] / name


def _write(data: bytes, path: Path) -> None:
    path.write_bytes(data)
