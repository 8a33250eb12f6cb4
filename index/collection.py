"""A collection: records on disk, an index of their vectors in memory, and search over both."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from index import files
from index.errors import CollectionDamaged, CollectionError, InvalidRecord, ItemNotFound, ModelMismatch
from index.locks import FileLock, Gate
from index.manifest import IndexFile, Kind, Manifest
from index.ranking import Hit, nearest, ranked
from index.records import Record, Vectors, check_id, check_records, check_vectors
from index.table import Change, Row, State, Table
from index.vectors import FaissIndex, VectorIndex

logger = logging.getLogger(__name__)

Page: TypeAlias = list[Record]  # `Collection.list` hides the builtin's name inside the class
Hits: TypeAlias = list[list[Hit]]


class Collection:
    """Records of one kind with the unit vectors that one model made of them. Opened by `Store`.

    Safe to use from any number of threads. A batch is durable when `add` or `delete` returns, and every reader sees it
    wholly or not at all. Any method raises `CollectionDamaged` when it meets damage, `StorageFailed` when the disk
    refuses, and `CollectionError` once the collection is closed.
    """

    def __init__(self, folder: Path, lock: FileLock, fingerprint: str | None = None) -> None:
        """Open the collection in a folder; the lock is released by `close`, and by the caller when opening fails."""
        self._folder = folder
        self._lock = lock
        self._writing = threading.Lock()
        self._gate = Gate()
        self._closed = False
        self._index: VectorIndex | None = None
        self._manifest = Manifest.read(folder)
        if fingerprint is not None:
            self.require(fingerprint)
        self._table = Table(folder, self.dim)
        try:
            self._state = self._table.check()
            self._index = self._load()
            if self._index is None:
                self._rebuild()
        except BaseException:
            self._table.close()
            raise

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
        return None if self._manifest.media_root is None else Path(self._manifest.media_root)

    @property
    def version(self) -> int:
        """How many batches have changed it."""
        return self._state.seq

    @property
    def count(self) -> int:
        return self._state.count

    def require(self, fingerprint: str) -> None:
        """Raise `ModelMismatch` unless the vectors were made by this model."""
        if fingerprint != self.fingerprint:
            raise ModelMismatch(
                f"the vectors of collection {self.name!r} were made by model {self.fingerprint[:12]}, not by "
                f"{fingerprint[:12]}: use that model, or delete the collection and index its items again with this one"
            )

    def add(self, records: Sequence[Record], vectors: NDArray[np.float32]) -> int:
        """Store records with their vectors (N, dim), new or in place of those with the same ids.

        Returns the version that holds them. Raises `InvalidRecord`, `InvalidVector` or `ModelMismatch`; nothing of the
        batch is stored then.
        """
        if len(records) != len(vectors):
            raise InvalidRecord(f"{len(records)} records come with {len(vectors)} vectors")
        if not records:
            return self.version
        checked = check_vectors(vectors, self.dim)
        check_records(records)
        return self._change(lambda: self._table.put(records, checked), checked).state.seq

    def delete(self, ids: Sequence[str]) -> int:
        """Delete records; ids that are not there are passed over. Returns how many were deleted."""
        return len(self._change(lambda: self._table.remove(ids), np.empty((0, self.dim), np.float32)).gone)

    def get(self, id: str) -> Record:
        """Raises `ItemNotFound`."""
        return self._row(id).record

    def vector(self, id: str) -> NDArray[np.float32]:
        """The vector (dim,) of a record. Raises `ItemNotFound`."""
        return self._row(id).vector

    def search(self, vectors: NDArray[np.float32], k: int) -> Hits:
        """The k nearest records for every query (B, dim), best first, ties by id; fewer when there are fewer.

        Raises `ModelMismatch` for vectors of another dimension, `InvalidVector` for any that are not unit vectors.
        """
        if k < 1:
            raise ValueError(f"k is at least 1, not {k}")
        queries = check_vectors(vectors, self.dim)
        with self._reads() as index:
            found = [nearest(index, query, k) for query in queries]
            records = self._table.fetch(sorted({row for scores in found for row in scores}))
        return [ranked(scores, records, k) for scores in found]

    def flush(self) -> None:
        """Write the index to disk, so that the next opening need not derive it again. Records need no flush."""
        with self._writing:
            self._check_open()
            self._flush()

    def close(self) -> None:
        """Flush, and let others open the collection. Waits for running searches; closing twice is fine."""
        with self._writing:
            if self._closed:
                return
            try:
                self._flush()
            finally:
                with self._gate.write():
                    self._closed, self._index = True, None
                    self._table.close()
                    self._lock.release()

    def list(self, limit: int, after: str | None = None) -> Page:
        """Up to `limit` records in the order of their ids, from the first one after `after`."""
        if limit < 1:
            raise ValueError(f"limit is at least 1, not {limit}")
        if after is not None:
            check_id(after)
        with self._reads():
            return self._table.page(limit, after)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.close()

    def _row(self, id: str) -> Row:
        with self._reads():
            row = self._table.get(id)
        if row is None:
            raise ItemNotFound(f"collection {self.name!r} has no item {id!r}")
        return row

    def _change(self, write: Callable[[], Change], vectors: Vectors) -> Change:
        with self._writing:
            self._check_open()
            change = write()
            with self._gate.write():
                # Out of reach while it changes: whatever interrupts us leaves no index rather than a wrong one.
                index, self._index = self._index, None
                try:
                    self._table.commit()
                except CollectionError:
                    self._index = index
                    raise
                if index is not None:
                    index.remove(change.gone)
                    index.add(change.rows, vectors)
                    self._index, self._state = index, change.state
        return change

    @contextmanager
    def _reads(self) -> Iterator[VectorIndex]:
        """Keeps changes out; there is an index, and it is that of the records."""
        while True:
            with self._gate.read():
                self._check_open()
                if self._index is not None:
                    yield self._index
                    return
            with self._writing, self._gate.write():
                self._check_open()
                if self._index is None:
                    self._rebuild()

    def _check_open(self) -> None:
        if self._closed:
            raise CollectionError(f"collection {self.name!r} is closed")

    def _load(self) -> VectorIndex | None:
        """The index on disk, if it is whole and of the very state that the records are in."""
        file = self._manifest.index
        if file is None or file.seq < self._state.seq:
            return None
        if State(file.seq, file.count) != self._state:
            raise CollectionDamaged(
                f"the records of {self.name!r} are at version {self._state.seq}, older than its index ({file.seq}): "
                "they were lost or put back; restore the collection's whole folder from a copy, or delete it"
            )
        try:
            return self._load_file(file)
        except (OSError, ValueError) as error:
            logger.warning("collection %s: the index is derived again from the records: %s", self.name, error)
            self._manifest = self._manifest.model_copy(update={"index": None})
            return None

    def _load_file(self, file: IndexFile) -> VectorIndex:
        path = self._folder / file.name
        if files.sha256(path) != file.sha256:
            raise ValueError(f"the checksum of {file.name} is wrong")
        index = FaissIndex.load(path)
        if (index.dim, index.count) != (self.dim, file.count):
            raise ValueError(f"{file.name} is the index of another collection")
        return index

    def _rebuild(self) -> None:
        index = FaissIndex(self.dim)
        with closing(self._table.chunks()) as chunks:
            for rows, vectors in chunks:
                index.add(rows, vectors)
        self._index, self._state = index, self._table.state()

    def _flush(self) -> None:
        index, written, seq = self._index, self._manifest.index, self._state.seq
        if index is None or (written is not None and written.seq == seq):
            return
        self._table.checkpoint()
        with files.storage(f"the index of {self.name!r} cannot be written"):
            path = self._folder / f"index-{seq}.faiss"
            files.replace(path, index.save)
            file = IndexFile(seq=seq, count=index.count, sha256=files.sha256(path))
            manifest = self._manifest.model_copy(update={"index": file})
            manifest.write(self._folder)
            self._manifest = manifest
            self._remove_indexes_but(path)

    def _remove_indexes_but(self, kept: Path) -> None:
        for path in (*self._folder.glob("index-*.faiss"), *self._folder.glob(".*.new")):
            if path != kept:
                path.unlink()
