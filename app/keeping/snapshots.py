"""The folder of snapshots: what the files in it are called, and which of them there are."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from app.errors import SnapshotNotFound
from index.durable import files

SUFFIX = ".snapshot"
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,200}}{re.escape(SUFFIX)}")


def new_snapshot(folder: Path, collection: str) -> Path:
    """Where a snapshot of a collection goes: a name that tells what it is of, and when it was made."""
    now = datetime.now(UTC)
    return folder / f"{collection}-{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03}Z{SUFFIX}"


def snapshot_file(folder: Path, name: str) -> Path:
    """Raises `SnapshotNotFound` for whatever is not the name of a snapshot in the folder."""
    path = folder / name
    if not _NAME.fullmatch(name) or path.is_symlink() or not path.is_file():
        raise SnapshotNotFound(f"there is no snapshot {name[:80]!r}")
    return path


def snapshots_in(folder: Path) -> list[Path]:
    """All of them, by name."""
    with files.storage("the folder of snapshots cannot be read"):
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted(path for path in found if _NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink())


def delete_snapshot(folder: Path, name: str) -> None:
    """Raises `SnapshotNotFound`."""
    path = snapshot_file(folder, name)
    with files.storage(f"the snapshot {name} cannot be deleted"):
        path.unlink(missing_ok=True)
        files.sync_directory(folder)
