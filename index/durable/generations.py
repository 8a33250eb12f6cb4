"""The files of a collection's records. One counts; another is made beside it, and the manifest changes over to that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import CollectionDamaged
from index.manifest import Manifest

_RECORDS = re.compile(r"\.?records(-(?P<number>[0-9]{1,9}))?\.sqlite(-wal|-shm|-journal|\.new)?")


@contextmanager
def another(folder: Path) -> Iterator[str]:
    """The name of a file of records that is not there yet; should the block fail, it is gone unless it counts."""
    numbers = [int(match["number"] or 0) for match in map(_match, folder.iterdir()) if match]
    name = f"records-{1 + max(numbers, default=0)}.sqlite"
    try:
        yield name
    except BaseException:
        if not counts(folder, name):
            remove(folder, name)
        raise


def remove(folder: Path, name: str) -> None:
    """One file of records, closed, with what SQLite may have left beside it."""
    for path in (folder / name, *(folder / f"{name}{suffix}" for suffix in ("-wal", "-shm", "-journal"))):
        path.unlink(missing_ok=True)


def remove_others(folder: Path, kept: str) -> None:
    """Every file of records but the one that counts."""
    for path in list(folder.iterdir()):
        if _match(path) and not path.name.startswith(kept):
            path.unlink(missing_ok=True)


def counts(folder: Path, name: str) -> bool:
    """Whether a file of records is the one that the manifest names."""
    try:
        return Manifest.read(folder).records == name
    except CollectionDamaged:
        return False


def _match(path: Path) -> re.Match[str] | None:
    return _RECORDS.fullmatch(path.name)
