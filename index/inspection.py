"""Collections as they lie on the disk, looked at from outside: nothing is opened, locked, repaired or written."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from index.durable.sqlite import damage, guarded
from index.errors import CollectionError
from index.manifest import Kind, Manifest
from index.names import NAME

MOST_BYTES_READ = 256 * 1024 * 1024
"""Records in files larger than that are not looked through: it would take longer than somebody waits."""

LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class Inspected:
    """One collection.

    in_use: a process has it open; closed_well: it was closed by the one that had it last; whole: nothing is missing
    that would have to be derived anew; problem: why it cannot be opened; count: of records, where that could be read.
    """

    name: str
    kind: Kind | None = None
    fingerprint: str | None = None
    count: int | None = None
    in_use: bool = False
    closed_well: bool = True
    whole: bool = True
    problem: str | None = None


def inspect(root: Path) -> list[Inspected]:
    """Every collection of a folder, by name; of one that is in use only the manifest is read."""
    if not root.is_dir():
        return []
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.is_symlink())
    locked = _locked_inodes()
    return [_inspect(root, name, locked) for name in names if NAME.fullmatch(name)]


def _inspect(root: Path, name: str, locked: frozenset[int]) -> Inspected:
    folder, in_use = root / name, False
    with suppress(OSError):
        in_use = (root / f".{name}.lock").stat().st_ino in locked
    try:
        manifest = Manifest.read(folder)
    except (CollectionError, OSError) as error:
        return Inspected(name, in_use=in_use, problem=str(error))
    known = Inspected(name, manifest.kind, manifest.fingerprint, in_use=in_use)
    return known if in_use else _look_through(known, folder, manifest)


def _look_through(known: Inspected, folder: Path, manifest: Manifest) -> Inspected:
    records, log = folder / manifest.records, folder / f"{manifest.records}-wal"
    closed_well = not log.exists() or not log.stat().st_size
    whole = all((folder / name).is_file() for name in _derived(manifest))
    known = replace(known, closed_well=closed_well, whole=whole)
    try:
        # What is still in the log belongs to the file too, and only opening it brings both together.
        return replace(known, count=_count(known.name, records) if closed_well else None)
    except (CollectionError, OSError) as error:
        return replace(known, problem=str(error))


def _count(name: str, records: Path) -> int:
    if not records.is_file():
        raise damage(name, "there is no such file")
    # Immutable: SQLite makes no files beside it, and takes no locks.
    uri = f"{records.absolute().as_uri()}?immutable=1"
    with guarded(name), closing(sqlite3.connect(uri, uri=True)) as connection:
        if records.stat().st_size <= MOST_BYTES_READ:
            verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            if verdict != "ok":
                raise damage(name, verdict)
        return int(connection.execute("SELECT count FROM state").fetchone()[0])


def _derived(manifest: Manifest) -> list[str]:
    index = manifest.index
    names = [getattr(index, field, None) for field in ("name", "vectors_name", "index_name")]
    return [name for name in names if name is not None]


def _locked_inodes() -> frozenset[int]:
    """Files that processes of this machine have locked as `FileLock` does; nothing where the system does not tell."""
    with suppress(OSError):
        lines = [line.split() for line in LOCKS.read_text().splitlines()]
        return frozenset(int(words[5].rpartition(":")[2]) for words in lines if words[1] == "FLOCK")
    return frozenset()


def is_writable(path: Path) -> bool:
    """Whether files could be made in a folder, or in the nearest one that is there if it is not."""
    return os.access(existing(path), os.W_OK | os.X_OK)


def existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next((place for place in (path, *path.parents) if place.exists()), Path("/"))
