"""Which files are as they were left: those need not be looked through again when a collection is opened."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from index import files

FILE_NAME = "seals.json"

Seal = list[int]


class Seals:
    """Size, inode and times of files that were found whole.

    Whoever writes to a file, puts another in its place or brings it from elsewhere changes one of them; only the owner
    of the machine can put the time of change back. What decays on the disk itself changes none: rows of the records
    have checksums of their own for that.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seals = _read(folder / FILE_NAME)

    def hold(self, path: Path) -> bool:
        """Whether a file of the folder is the very one that was sealed."""
        with suppress(OSError):
            return self._seals.get(path.name) == _seal(path)
        return False

    def put(self, paths: Iterable[Path]) -> None:
        """Seal these files, which are whole, and no others. Where that fails they are looked through the next time."""
        with suppress(OSError):
            seals = {path.name: _seal(path) for path in paths}
            if seals != self._seals:
                content = json.dumps({"files": seals, "checksum": _checksum(seals)})
                files.replace(self._folder / FILE_NAME, lambda new: _write(new, content))
                self._seals = seals


def _seal(path: Path) -> Seal:
    facts = path.stat()
    return [facts.st_size, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns]


def _read(path: Path) -> dict[str, Seal]:
    try:
        content = json.loads(path.read_bytes())
        seals = content["files"]
        return dict(seals) if content["checksum"] == _checksum(seals) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")


def _checksum(seals: dict[str, Seal]) -> int:
    return zlib.crc32(json.dumps(seals, sort_keys=True).encode())
