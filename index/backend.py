"""What the service asks of collections: `index.store` keeps them in files, `index.milvus` on a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from index.durable.batches import Once, Receipt
from index.durable.snapshot import Snapshot
from index.filters import Filter
from index.manifest import Built, Kind
from index.ranking import Hit
from index.records import Record

Page: TypeAlias = list[Record]  # `Collection.list` hides the builtin's name inside the class
Hits: TypeAlias = list[list[Hit]]


class Collection(Protocol):
    """Records of one kind with the unit vectors that one model made of them; see `index.collection.Collection`.

    Safe to use from any number of threads. Every method may raise `CollectionError`, as for what was closed, damaged,
    deleted by somebody else or cannot be reached; `NotSupported` says that this kind of store never does that.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def dim(self) -> int: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def media_root(self) -> Path | None: ...

    @property
    def version(self) -> int:
        """Grows with every batch that changes it. Never waits: what others change may show a moment later."""

    @property
    def count(self) -> int:
        """How many records there are. Never waits either."""

    @property
    def recipe(self) -> str:
        """How vectors are found: the name of a recipe, or Milvus' of a type of index."""

    @property
    def built(self) -> Built | None:
        """What was measured when its index was built; None where there was nothing to measure."""

    def require(self, fingerprint: str) -> None: ...

    def add(self, records: Sequence[Record], vectors: NDArray[np.float32]) -> int: ...

    def put(
        self,
        records: Sequence[Record],
        vectors: NDArray[np.float32],
        media: Mapping[str, bytes] | None = None,
        once: Once | None = None,
    ) -> Receipt: ...

    def receipt(self, once: Once) -> Receipt | None: ...

    def media(self, uri: str | None) -> Path | None: ...

    def delete(self, ids: Sequence[str]) -> int: ...

    def get(self, id: str) -> Record: ...

    def vector(self, id: str) -> NDArray[np.float32]: ...

    def fetch(self, ids: Sequence[str]) -> dict[str, tuple[Record, NDArray[np.float32]]]: ...

    def search(
        self, vectors: NDArray[np.float32], k: int, where: Filter | None = None, with_vectors: int = 0
    ) -> Hits: ...

    def flush(self) -> None: ...

    def size(self) -> int | None:
        """Bytes on disk of records and index, without media; None where they are not in files here."""

    def media_size(self) -> int | None:
        """Bytes on disk of the media that it keeps; None where others keep some too."""

    def compact(self) -> tuple[int, int]: ...

    def snapshot(self, path: Path) -> Snapshot: ...

    def restore(self, snapshot: Snapshot) -> None: ...

    def close(self) -> None: ...

    def list(self, limit: int, after: str | None = None) -> Page: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None: ...


class Store(Protocol):
    """Collections by name; see `index.store.Store`."""

    @property
    def shared(self) -> bool:
        """Whether others may make and delete collections while this process has them open."""

    def is_current(self, collection: Collection) -> bool:
        """Whether a collection of this store is still there, and no other one of its name. Raises `CollectionError`."""

    def names(self) -> list[str]: ...

    def create(
        self, name: str, kind: Kind, dim: int, fingerprint: str, media_root: Path | None = None
    ) -> Collection: ...

    def open(self, name: str, fingerprint: str | None = None) -> Collection: ...

    def restore(self, snapshot: Snapshot, name: str, replace: bool = False) -> Collection: ...

    def delete(self, name: str) -> None: ...

    def close(self) -> None: ...
