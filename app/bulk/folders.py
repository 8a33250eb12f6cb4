"""Images or recordings as files of their own, in folders or one by one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.bulk.items import Bad, File, Found, Item, bad, file_stamp
from index.manifest import Kind
from index.records import Record

SUFFIXES: Mapping[Kind, frozenset[str]] = {
    "images": frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}),
    "audio": frozenset({".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif", ".webm", ".mp4"}),
}


class Folder:
    """All files below a folder whose names say that they are of the kind, those behind links among them."""

    kinds: tuple[Kind, ...] = ("images", "audio")

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.root: Path | None = path

    def size(self) -> int:
        entries = _files(self.path, frozenset[str]().union(*SUFFIXES.values()))
        return sum(entry.stat().st_size for entry in entries if not isinstance(entry, Bad))

    def items(self, kind: Kind, root: Path | None) -> Iterator[Found]:
        for entry in _files(self.path, SUFFIXES[kind]):
            yield entry if isinstance(entry, Bad) else found(Path(entry.path), root or self.path)


class Single:
    """One file, whatever it is called."""

    kinds: tuple[Kind, ...] = ("images", "audio")

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self.root: Path | None = path.parent

    def size(self) -> int:
        return self.path.stat().st_size

    def items(self, kind: Kind, root: Path | None) -> Iterator[Found]:
        yield found(self.path, root or self.path.parent)


def found(path: Path, root: Path) -> Found:
    """A file as an item, named by its path below `root`; when the file changes, so does its record."""
    name = path.relative_to(root).as_posix()
    try:
        status = path.stat()
    except OSError as error:
        return bad(name, error)
    return Item(Record(name, name, path.stem, file_stamp(status)), File(path), name, status.st_size)


def _files(folder: Path, suffixes: frozenset[str]) -> Iterator[os.DirEntry[str] | Bad]:
    """In no order: a folder may hold more files than there is memory for. Folders behind links are passed over."""
    waiting = [os.fspath(folder)]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif os.path.splitext(entry.name)[1].lower() in suffixes and _is_file(entry):
                        yield entry
        except OSError as error:
            yield bad(here, error)


def _is_file(entry: os.DirEntry[str]) -> bool:
    # Not pipes and sockets, whatever they are called: opening one can wait for ever.
    return entry.is_file(follow_symlinks=False) or os.path.isfile(entry.path)
