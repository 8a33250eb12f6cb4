"""Which files are as they were left: those need not be looked through again when a collection is opened."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from index.durable import files

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
        self._written = dict(self._seals)

    def hold(self, name: str) -> bool:
        """Whether a file of the folder is the very one that was sealed."""
        with suppress(OSError):
            return self._seals.get(name) == _seal(self._folder / name)
        return False

    def put(self, name: str) -> None:
        """Seal a file of the folder, which is whole."""
        with suppress(OSError):
            self._seals[name] = _seal(self._folder / name)

    def write(self, names: Iterable[str]) -> None:
        """Remember the seals of these, and no others, for later. Where that fails they are looked through again."""
        seals = {name: self._seals[name] for name in names if name in self._seals}
        if seals != self._written:
            content = json.dumps({"files": seals, "checksum": _checksum(seals)})
            with suppress(OSError):
                files.replace(self._folder / FILE_NAME, lambda new: _write(new, content))
                self._written = seals


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
