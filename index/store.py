"""The folder of collections."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from index import backend
from index.collection import Collection
from index.durable import files, generations
from index.durable.locks import FileLock
from index.durable.snapshot import Snapshot
from index.durable.table import FILE_NAME as RECORDS
from index.durable.table import Table
from index.errors import CollectionError, CollectionExists, CollectionLocked, CollectionNotFound
from index.large.gpu import Gpu
from index.manifest import Kind, Manifest
from index.names import NAME, checked

_LEFTOVER = re.compile(rf"\.(?P<name>{NAME.pattern})\.(new|deleted)")


class Store:
    """Collections by name, one folder each: `<root>/<name>`.

    A collection is made aside and renamed into place, and renamed away before it is deleted, so it is there wholly or
    not at all. `<root>/.<name>.lock` is held by whoever has it open, makes it or deletes it.
    """

    def __init__(self, root: Path, gpu: Gpu | None = None) -> None:
        """Use a folder, made if need be, and clear away what killed processes left half made or half deleted.

        gpu: where built indexes are searched, those that can be.
        """
        self._root, self._gpu = root, gpu
        with files.storage(f"the folder of collections {root} cannot be used"):
            root.mkdir(parents=True, exist_ok=True)
            self._sweep()

    @property
    def shared(self) -> bool:
        """Whoever has a collection open is alone with it."""
        return False

    def is_current(self, collection: backend.Collection) -> bool:
        """Always, as long as it is open."""
        return True

    def names(self) -> list[str]:
        """The names of all collections, sorted; damaged ones are among them."""
        with files.storage(f"the folder of collections {self._root} cannot be read"):
            names = sorted(path.name for path in self._root.iterdir() if _is_collection(path))
        return [name for name in names if NAME.fullmatch(name)]

    def create(self, name: str, kind: Kind, dim: int, fingerprint: str, media_root: Path | None = None) -> Collection:
        """Make an empty collection and open it. Raises `CollectionExists`, `CollectionLocked` or `InvalidName`."""
        root = None if media_root is None else str(media_root)
        self._require_free(name)
        manifest = Manifest(name=name, kind=kind, dim=dim, fingerprint=fingerprint, media_root=root)
        lock = self._lock(name)
        try:
            with files.storage(f"collection {name!r} cannot be made"):
                self._require_free(name)
                self._make(manifest, Table.create)
                return Collection(self._root / name, lock, gpu=self._gpu)
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
                return Collection(self._root / name, lock, fingerprint, self._gpu)
        except BaseException:
            lock.release()
            raise

    def restore(self, snapshot: Snapshot, name: str, replace: bool = False) -> Collection:
        """Make a collection of a snapshot, under any name, and open it.

        Raises `CollectionExists` unless one of that name, damaged or not, is to be replaced; until it is, in one step,
        it stays as it was. Raises `CollectionLocked` where it is open: `Collection.restore` is for that.
        """
        if not replace:
            self._require_free(name)
        lock = self._lock(checked(name))
        try:
            with files.storage(f"collection {name!r} cannot be restored"):
                if not _is_collection(self._root / name):
                    self._make(snapshot.manifest_for(name, RECORDS), lambda new: snapshot.unpack(new, RECORDS))
                elif not replace:
                    self._require_free(name)
                else:
                    self._replace(snapshot, name)
                return Collection(self._root / name, lock, gpu=self._gpu)
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
                if doomed.exists():  # of a deletion that broke off
                    shutil.rmtree(doomed)
                (self._root / name).rename(doomed)
                files.sync_directory(self._root)
                shutil.rmtree(doomed)
        finally:
            lock.release()

    def close(self) -> None:
        """Collections are closed one by one; there is nothing else to let go of."""

    def _make(self, manifest: Manifest, fill: Callable[[Path], None]) -> None:
        new = self._root / f".{manifest.name}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        fill(new)
        _check(new, manifest)
        manifest.write(new)
        new.rename(self._root / manifest.name)
        files.sync_directory(self._root)

    def _replace(self, snapshot: Snapshot, name: str) -> None:
        folder = self._root / name
        with generations.another(folder) as records:
            snapshot.unpack(folder, records)
            manifest = snapshot.manifest_for(name, records)
            _check(folder, manifest)
            with closing(Table(folder, manifest.dim, records)) as table:
                table.renumber(max(_version(folder), snapshot.contents.version) + 1)
            manifest.write(folder)

    def _require(self, name: str) -> None:
        if not _is_collection(self._root / checked(name)):
            raise CollectionNotFound(f"there is no collection {name!r}")

    def _require_free(self, name: str) -> None:
        if _is_collection(self._root / checked(name)):
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


def _check(folder: Path, manifest: Manifest) -> None:
    with closing(Table(folder, manifest.dim, manifest.records)) as table:
        table.check()
        table.uris()


def _version(folder: Path) -> int:
    """Of the collection in a folder; 0 where it is too damaged to tell."""
    with suppress(CollectionError):
        manifest = Manifest.read(folder)
        with closing(Table(folder, manifest.dim, manifest.records)) as table:
            return table.state().seq
    return 0


def _is_collection(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
