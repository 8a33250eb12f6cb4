"""A collection on Milvus, with the methods of `index.collection.Collection`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from index.durable import files
from index.durable.batches import Once, Receipt
from index.durable.media import SCHEME, Media
from index.durable.rows import State
from index.durable.snapshot import Snapshot
from index.errors import (
    CollectionDamaged,
    CollectionError,
    CollectionNotFound,
    InvalidRecord,
    ItemNotFound,
    NotSupported,
    ServerUnreachable,
    StorageFailed,
)
from index.filters import Filter
from index.manifest import Kind
from index.milvus.connection import LOAD_TIMEOUT_S, Connection
from index.milvus.keys import STATE, id_of, is_one_of, key_of
from index.milvus.manifest import Manifest, physical
from index.milvus.rows import FIELDS, check_fits, record_of, row_of, vector_of
from index.milvus.search import Searcher
from index.milvus.state import Reading
from index.ranking import Hit
from index.ranking import with_vectors as having_vectors
from index.records import Record, check_id, check_records, check_vectors

MOST_KEYS = 1000
"""In one expression."""

Page: TypeAlias = list[Record]  # `MilvusCollection.list` hides the builtin's name inside the class
Hits: TypeAlias = list[list[Hit]]
Row: TypeAlias = dict[str, Any]


class MilvusCollection:
    """Records of one kind with the unit vectors that one model made of them. Opened by `MilvusStore`.

    Safe to use from any number of threads and, on a server, processes: no record is kept here.
    A batch is one request, durable when `add` returns. Any method raises `ServerUnreachable` when there is no answer,
    `StorageFailed` when the server refuses, `CollectionNotFound` when somebody has deleted the collection, and
    `ModelMismatch` when it has been made anew for another model.
    """

    def __init__(self, connection: Connection, manifest: Manifest, media: Path) -> None:
        """media: the folder of what it keeps."""
        self._connection = connection
        self._manifest = manifest
        self._physical = physical(manifest.name)
        self._searcher = Searcher(connection, manifest)
        self._media = Media(media)
        self._closed = False
        with self._checked():
            connection.call("load_collection", self._physical, timeout=LOAD_TIMEOUT_S)
            self._state = Reading(self._read_state)

    @property
    def name(self) -> str:
        return self._manifest.name

    @property
    def kind(self) -> Kind:
        return self._manifest.kind

    @property
    def dim(self) -> int:
        return self._manifest.dim

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the model that made the vectors."""
        return self._manifest.fingerprint

    @property
    def media_root(self) -> Path | None:
        """Where relative uris start."""
        return self._manifest.root

    @property
    def version(self) -> int:
        """Grows with every batch: the microsecond of the last one. See `Reading` for batches of others."""
        return self._state.latest.seq

    @property
    def count(self) -> int:
        """How many records there are. See `Reading` for what others add and delete."""
        return self._state.latest.count

    @property
    def recipe(self) -> str:
        """The type of index that the address names; collections keep the one they were made with."""
        return self._connection.index

    @property
    def built(self) -> None:
        """Milvus measures nothing."""

    def require(self, fingerprint: str) -> None:
        """Raise `ModelMismatch` unless the vectors were made by this model."""
        self._manifest.require(fingerprint)

    def add(self, records: Sequence[Record], vectors: NDArray[np.float32]) -> int:
        """Store records with their vectors (N, dim), new or in place of those with the same ids.

        Returns the version that holds them. Raises `InvalidRecord`, `InvalidVector` or `ModelMismatch`; nothing of the
        batch is stored then.
        """
        return self.put(records, vectors).version

    def put(
        self,
        records: Sequence[Record],
        vectors: NDArray[np.float32],
        media: Mapping[str, bytes] | None = None,
        once: Once | None = None,
    ) -> Receipt:
        """The same, with files that the collection is to keep, by the names that `index.durable.media` gives them.

        Raises `InvalidRecord` also for a record whose uri says that its media is here, and it is not, and
        `NotSupported` for a batch that comes `once`: Milvus remembers none.
        """
        if once is not None:
            self.receipt(once)
        if len(records) != len(vectors):
            raise InvalidRecord(f"{len(records)} records come with {len(vectors)} vectors")
        if not records:
            return Receipt(self.version, self.count, 0, 0)
        checked = check_vectors(vectors, self.dim)
        check_records(records)
        check_fits(records, self.dim)
        field = self._manifest.vector_field
        self._keep(media or {}, records)
        rows = [row_of(record, vector, field) for record, vector in zip(records, checked.tolist(), strict=True)]
        with self._connection.writing(), self._checked():
            known = len(self._known(record.id for record in records))
            self._write(rows)
            state = self._state.renew()
            return Receipt(state.seq, state.count, len(rows) - known, known)

    def receipt(self, once: Once) -> Receipt | None:
        """Raises `NotSupported`."""
        raise NotSupported(f"collection {self.name!r} is on Milvus, where batches have no keys: ids keep them single")

    def media(self, uri: str | None) -> Path | None:
        """The file that the collection keeps for a record with this uri; None if it keeps none."""
        return self._media.path(uri)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete records; ids that are not there are passed over. Returns how many were deleted."""
        with self._connection.writing(), self._checked():
            known = [row["key"] for row in self._known(ids)]
            for start in range(0, len(known), MOST_KEYS):
                part = known[start : start + MOST_KEYS]
                self._connection.call("delete", self._physical, filter=is_one_of(part))
            if known:
                self._write([])
                self._state.renew()
        return len(known)

    def get(self, id: str) -> Record:
        """Raises `ItemNotFound`."""
        return record_of(self._row(id, FIELDS))

    def vector(self, id: str) -> NDArray[np.float32]:
        """The vector (dim,) of a record. Raises `ItemNotFound`."""
        field = self._manifest.vector_field
        return vector_of(self._row(id, [field]), field)

    def fetch(self, ids: Sequence[str]) -> dict[str, tuple[Record, NDArray[np.float32]]]:
        """Records and their vectors (dim,), of those ids that are there."""
        field = self._manifest.vector_field
        return {
            id_of(row["key"]): (record_of(row), vector_of(row, field)) for row in self._known(ids, [*FIELDS, field])
        }

    def search(self, vectors: NDArray[np.float32], k: int, where: Filter | None = None, with_vectors: int = 0) -> Hits:
        """The k nearest records for every query (B, dim), best first, ties by id; fewer when there are fewer.

        Only records for which `where` is true are found, and k of them when there are k. The first
        `with_vectors` hits have their vectors.

        Raises `ModelMismatch` for vectors of another dimension, `InvalidVector` for any that are not unit vectors.
        """
        if k < 1:
            raise ValueError(f"k is at least 1, not {k}")
        queries = check_vectors(vectors, self.dim)
        with self._checked():
            hits = [self._searcher.nearest(query, k, where) for query in queries]
            self._state.renew_if_old()
        known = self.fetch([hit.record.id for some in hits for hit in some[:with_vectors]])
        return [having_vectors(some, known) for some in hits]

    def flush(self) -> None:
        """Have Milvus Lite index what it holds, which makes searches faster; servers do so by themselves."""
        if self._connection.is_local:
            with self._connection.writing(), self._checked():
                self._connection.call("flush", self._physical)

    def size(self) -> None:
        """Milvus keeps records and index where it likes."""

    def media_size(self) -> None:
        """Other processes keep media in the same folder, and tell nobody how much."""

    def compact(self) -> tuple[int, int]:
        """Raises `NotSupported`."""
        raise NotSupported(f"collection {self.name!r} is on Milvus, which gives room back by itself")

    def snapshot(self, path: Path) -> Snapshot:
        """Raises `NotSupported`."""
        raise NotSupported(f"collection {self.name!r} is on Milvus: copy it to files, and make a snapshot there")

    def restore(self, snapshot: Snapshot) -> None:
        """Raises `NotSupported`."""
        raise NotSupported(f"collection {self.name!r} is on Milvus: restore to files, and copy from there")

    def close(self) -> None:
        """Flush, and refuse everything from now on; closing twice is fine."""
        if not self._closed:
            try:
                self.flush()
            finally:
                self._closed = True

    def list(self, limit: int, after: str | None = None) -> Page:
        """Up to `limit` records in the order of their ids, from the first one after `after`."""
        if limit < 1:
            raise ValueError(f"limit is at least 1, not {limit}")
        if after is not None:
            check_id(after)
        found = Page()
        with self._checked():
            for rows in self._searcher.pages(limit, STATE if after is None else key_of(after)):
                found += [record_of(row) for row in rows]
                if len(found) >= limit:
                    break
        return found[:limit]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.close()

    def _keep(self, media: Mapping[str, bytes], records: Sequence[Record]) -> None:
        with files.storage(f"media of {self.name!r} cannot be kept"):
            self._media.keep(media)
        for record in records:
            if record.uri is not None and record.uri.startswith(SCHEME) and self._media.path(record.uri) is None:
                raise InvalidRecord(f"the uri of {record.id!r} is that of media which collection {self.name!r} lacks")

    def _row(self, id: str, fields: Sequence[str]) -> Row:
        if not (rows := self._known([id], fields)):
            raise ItemNotFound(f"collection {self.name!r} has no item {id!r}")
        return rows[0]

    def _known(self, ids: Iterable[str], fields: Sequence[str] = ("key",)) -> Sequence[Row]:
        """The rows of those ids that are there."""
        keys = [key_of(id) for id in dict.fromkeys(ids) if _is_id(id)]
        with self._checked():
            parts = [keys[start : start + MOST_KEYS] for start in range(0, len(keys), MOST_KEYS)]
            return [row for part in parts for row in self._rows(part, fields)]

    def _rows(self, keys: Sequence[str], fields: Sequence[str]) -> Sequence[Row]:
        found: Sequence[Row] = self._connection.call(
            "query", self._physical, filter=is_one_of(keys), output_fields=[*fields]
        )
        return found

    def _read_state(self) -> State:
        # Less the row of the state, which is there from the first batch on.
        return State(self._version(), max(self._searcher.count() - 1, 0))

    def _version(self) -> int:
        rows = self._rows([STATE], ["caption"])
        return int(json.loads(rows[0]["caption"])["version"]) if rows else 0

    def _write(self, rows: Sequence[Row]) -> None:
        """Store rows and the new version in one request."""
        # Others may write at this moment, so it is no counter: the clock alone gives two batches two versions.
        version = max(time.time_ns() // 1000, self._version() + 1)
        self._connection.call("upsert", self._physical, [*rows, state_row(self._manifest, version)])

    @contextmanager
    def _checked(self) -> Iterator[None]:
        """Where the server refuses because the collection is no longer the one that was opened, say that."""
        if self._closed:
            raise CollectionError(f"collection {self.name!r} is closed")
        try:
            yield
        except CollectionNotFound:
            raise CollectionNotFound(f"there is no collection {self.name!r} any more") from None
        except ServerUnreachable:
            raise
        except (StorageFailed, CollectionDamaged):
            Manifest.read(self._connection, self.name).require(self.fingerprint)
            raise


def state_row(manifest: Manifest, version: int) -> Row:
    """The row that says how far a collection is. Its vector is the one that is near to nothing."""
    caption = json.dumps({"version": version})
    return {"key": STATE, "uri": None, "caption": caption, "metadata": {}, manifest.vector_field: [0.0] * manifest.dim}


def _is_id(id: str) -> bool:
    try:
        check_id(id)
    except InvalidRecord:
        return False
    return True
