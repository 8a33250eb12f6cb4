"""The collections of one Milvus."""

from __future__ import annotations

import shutil
from pathlib import Path

from index.address import File, Server
from index.backend import Collection
from index.durable.snapshot import Snapshot
from index.errors import CollectionDamaged, CollectionExists, CollectionNotFound, NotSupported, StorageFailed
from index.manifest import Kind
from index.milvus.collection import MilvusCollection
from index.milvus.connection import Connection
from index.milvus.manifest import Manifest, logical, physical
from index.names import NAME, checked


class MilvusStore:
    """Collections by name, with the methods of `index.store.Store`.

    On a server any number of processes use it at the same time; what one of them makes or deletes is so for all.
    """

    def __init__(self, address: File | Server, media: Path) -> None:
        """media: the folder of files that collections keep.

        Raises `ExtraMissing`, `ServerUnreachable`, or `CollectionLocked` for a file that is open elsewhere."""
        self._media = media
        self._connection = Connection(address)

    @property
    def shared(self) -> bool:
        """A server is for all who reach it."""
        return not self._connection.is_local

    def is_current(self, collection: Collection) -> bool:
        """Whether nobody has deleted it, or made another one of its name. Raises `ServerUnreachable`."""
        try:
            now = Manifest.read(self._connection, collection.name)
        except (CollectionNotFound, CollectionDamaged):
            return False
        known = (collection.kind, collection.dim, collection.fingerprint, collection.media_root)
        return known == (now.kind, now.dim, now.fingerprint, now.root)

    def names(self) -> list[str]:
        """The names of all collections, sorted; those of other programs are not among them."""
        found = [logical(name) for name in self._connection.call("list_collections")]
        return sorted(name for name in found if name is not None and NAME.fullmatch(name))

    def create(
        self, name: str, kind: Kind, dim: int, fingerprint: str, media_root: Path | None = None
    ) -> MilvusCollection:
        """Make an empty collection and open it. Raises `CollectionExists` or `InvalidName`."""
        root = None if media_root is None else str(media_root)
        self._require_free(name)
        manifest = Manifest(name=name, kind=kind, dim=dim, fingerprint=fingerprint, media_root=root)
        with self._connection.writing():
            try:
                manifest.create(self._connection)
            except StorageFailed:
                self._require_free(name)  # somebody else may have been quicker
                raise
        return MilvusCollection(self._connection, manifest, self._media / name)

    def open(self, name: str, fingerprint: str | None = None) -> MilvusCollection:
        """Open a collection; if a fingerprint is given, only when the model of that fingerprint made its vectors.

        Raises `CollectionNotFound`, `CollectionDamaged`, `ModelMismatch` or `InvalidName`.
        """
        self._require(name)
        manifest = Manifest.read(self._connection, name)
        if fingerprint is not None:
            manifest.require(fingerprint)
        return MilvusCollection(self._connection, manifest, self._media / name)

    def restore(self, snapshot: Snapshot, name: str, replace: bool = False) -> MilvusCollection:
        """Raises `NotSupported`."""
        raise NotSupported("snapshots cannot be restored to Milvus: restore to files, and copy from there")

    def delete(self, name: str) -> None:
        """Delete a collection with all it holds, whoever has it open. Raises `CollectionNotFound`."""
        self._require(name)
        with self._connection.writing():
            self._connection.call("drop_collection", physical(name))
        shutil.rmtree(self._media / name, ignore_errors=True)

    def close(self) -> None:
        """Let go of the server, or of the file, which others may open then; closing twice is fine."""
        self._connection.close()

    def _require(self, name: str) -> None:
        if not self._has(name):
            raise CollectionNotFound(f"there is no collection {name!r}")

    def _require_free(self, name: str) -> None:
        if self._has(name):
            raise CollectionExists(f"there is a collection {name!r} already")

    def _has(self, name: str) -> bool:
        return bool(self._connection.call("has_collection", physical(checked(name))))
