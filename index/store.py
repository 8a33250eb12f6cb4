"""The folder of collections."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path

from index import files
from index.collection import Collection
from index.errors import CollectionExists, CollectionLocked, CollectionNotFound, InvalidName
from index.locks import FileLock
from index.manifest import Kind, Manifest
from index.table import Table

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LEFTOVER = re.compile(rf"\.(?P<name>{_NAME.pattern})\.(new|deleted)")


class Store:
    """Collections by name, one folder each: `<root>/<name>`.

    A collection is made aside and renamed into place, and renamed away before it is deleted, so it is there wholly or
    not at all. `<root>/.<name>.lock` is held by whoever has it open, makes it or deletes it.
    """

    def __init__(self, root: Path) -> None:
        """Use a folder, made if need be, and clear away what killed processes left half made or half deleted."""
        self._root = root
        with files.storage(f"the folder of collections {root} cannot be used"):
            root.mkdir(parents=True, exist_ok=True)
            self._sweep()

    def names(self) -> list[str]:
        """The names of all collections, sorted; damaged ones are among them."""
        with files.storage(f"the folder of collections {self._root} cannot be read"):
            names = sorted(path.name for path in self._root.iterdir() if _is_collection(path))
        return [name for name in names if _NAME.fullmatch(name)]

    def create(self, name: str, kind: Kind, dim: int, fingerprint: str, media_root: Path | None = None) -> Collection:
        """Make an empty collection and open it. Raises `CollectionExists`, `CollectionLocked` or `InvalidName`."""
        root = None if media_root is None else str(media_root)
        self._require_free(name)
        manifest = Manifest(name=name, kind=kind, dim=dim, fingerprint=fingerprint, media_root=root)
        lock = self._lock(name)
        try:
            with files.storage(f"collection {name!r} cannot be made"):
                self._require_free(name)
                self._make(manifest)
                return Collection(self._root / name, lock)
        except BaseException:
            lock.release()
            raise

    def open(self, name: str, fingerprint: str | None = None) -> Collection:
        """Open a collection; if a fingerprint is given, only when the model of that fingerprint made its vectors.

        Raises `CollectionNotFound`, `CollectionLocked`, `CollectionDamaged`, `ModelMismatch` or `InvalidName`.
        """
        self._require(name)
        lock = self._lock(name)
        try:
            with files.storage(f"collection {name!r} cannot be opened"):
                self._require(name)
                return Collection(self._root / name, lock, fingerprint)
        except BaseException:
            lock.release()
            raise

    def delete(self, name: str) -> None:
        """Delete a collection with all it holds, damaged or not. Raises `CollectionNotFound` or `CollectionLocked`."""
        self._require(name)
        lock = self._lock(name)
        try:
            with files.storage(f"collection {name!r} cannot be deleted"):
                self._require(name)
                doomed = self._root / f".{name}.deleted"
                (self._root / name).rename(doomed)
                files.sync_directory(self._root)
                shutil.rmtree(doomed)
        finally:
            lock.release()

    def _make(self, manifest: Manifest) -> None:
        new = self._root / f".{manifest.name}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        Table.create(new)
        manifest.write(new)
        new.rename(self._root / manifest.name)
        files.sync_directory(self._root)

    def _require(self, name: str) -> None:
        if not _is_collection(self._root / _checked(name)):
            raise CollectionNotFound(f"there is no collection {name!r}")

    def _require_free(self, name: str) -> None:
        if _is_collection(self._root / _checked(name)):
            raise CollectionExists(f"there is a collection {name!r} already")

    def _lock(self, name: str) -> FileLock:
        with files.storage(f"collection {name!r} cannot be locked"):
            return FileLock(self._root / f".{name}.lock", f"collection {name!r}")

    def _sweep(self) -> None:
        for path in self._root.glob(".*"):
            if match := _LEFTOVER.fullmatch(path.name):
                with suppress(CollectionLocked):
                    lock = self._lock(match["name"])
                    shutil.rmtree(path, ignore_errors=True)
                    lock.release()


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{name[:80]!r} is no name for a collection: 1 to 64 of a-z, 0-9, '_' and '-', with a letter or digit first"
        )
    return name


def _is_collection(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
