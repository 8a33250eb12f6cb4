"""A collection: records on disk, an index of their vectors in memory, and search over both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from index.derived import Derived
from index.durable import files, generations
from index.durable.batches import Once, Receipt
from index.durable.locks import FileLock, Gate
from index.durable.media import SCHEME, Media
from index.durable.rows import Change, Row
from index.durable.table import Table
from index.errors import BuildFailed, CollectionError, InvalidRecipe, InvalidRecord, ItemNotFound, ModelMismatch
from index.filters import Filter
from index.large.builder import Effort, Tell
from index.large.gpu import Gpu
from index.large.recipes import RecipeName
from index.large.renewal import Renewal
from index.manifest import BaseFiles, Built, Kind, Manifest
from index.ranking import Hit, nearest, ranked
from index.records import Record, Vectors, check_id, check_records, check_vectors
from index.upkeep import Upkeep
from index.vectors import VectorIndex

Page: TypeAlias = list[Record]  # `Collection.list` hides the builtin's name inside the class
Hits: TypeAlias = list[list[Hit]]


class Collection(Upkeep):
    """Records of one kind with the unit vectors that one model made of them. Opened by `Store`.

    Safe to use from any number of threads. A batch is durable when `add` or `delete` returns, and every reader sees it
    wholly or not at all. Any method raises `CollectionDamaged` when it meets damage, `StorageFailed` when the disk
    refuses, and `CollectionError` once the collection is closed.
    """

    def __init__(self, folder: Path, lock: FileLock, fingerprint: str | None = None, gpu: Gpu | None = None) -> None:
        """Open the collection in a folder; the lock is released by `close`, and by the caller when opening fails."""
        self._folder = folder
        self._lock = lock
        self._upkeep = threading.Lock()
        self._writing = threading.Lock()
        self._gate = Gate()
        self._media = Media(folder)
        self._closed = False
        self._index: VectorIndex | None = None
        self._manifest = Manifest.read(folder)
        if fingerprint is not None:
            self.require(fingerprint)
        self._derived = Derived(folder, gpu)
        self._building = threading.Lock()
        self._renewal = Renewal(folder.name, self._is_worn, self._renew)
        self._restored = 0
        trusted = self._derived.files.trusts(self._manifest.records)
        self._table = Table(folder, self.dim, self._manifest.records)
        try:
            self._state = self._table.check(trusted)
            generations.remove_others(folder, self._manifest.records)
            self._load()
            self._derived.files.seal(self._manifest)
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

    @property
    def recipe(self) -> RecipeName:
        """What its index is to be."""
        return self._manifest.recipe

    @property
    def built(self) -> Built | None:
        """What was measured of its index; None where every vector is compared."""
        return self._manifest.index.built if isinstance(self._manifest.index, BaseFiles) else None

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
        return self.put(records, vectors).version

    def put(
        self,
        records: Sequence[Record],
        vectors: NDArray[np.float32],
        media: Mapping[str, bytes] | None = None,
        once: Once | None = None,
    ) -> Receipt:
        """The same, with files that the collection is to keep, by the names that `index.durable.media` gives them.

        A batch that comes `once` is stored once, however often it is sent: then it has the receipt that it had the
        first time. Raises `BatchKeyReused` for another batch with its key, and `InvalidRecord` also for a record whose
        uri says that its media is here, and it is not.
        """
        if len(records) != len(vectors):
            raise InvalidRecord(f"{len(records)} records come with {len(vectors)} vectors")
        checked = check_vectors(vectors, self.dim) if records else np.empty((0, self.dim), np.float32)
        check_records(records)
        with self._writing:
            self._check_open()
            if once is not None and (receipt := self._table.receipt(once)) is not None:
                return receipt
            if not records:
                return Receipt(self.version, self.count, 0, 0)
            self._keep(media or {}, records)
            return self._change(lambda: self._table.put(records, checked, once), checked).receipt

    def receipt(self, once: Once) -> Receipt | None:
        """Of a batch that has been stored already. Raises `BatchKeyReused` where it was another one."""
        with self._reads():
            return self._table.receipt(once)

    def media(self, uri: str | None) -> Path | None:
        """The file that the collection keeps for a record with this uri; None if it keeps none."""
        return self._media.path(uri)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete records; ids that are not there are passed over. Returns how many were deleted."""
        with self._writing:
            self._check_open()
            return len(self._change(lambda: self._table.remove(ids), np.empty((0, self.dim), np.float32)).gone)

    def get(self, id: str) -> Record:
        """Raises `ItemNotFound`."""
        return self._row(id).record

    def vector(self, id: str) -> NDArray[np.float32]:
        """The vector (dim,) of a record. Raises `ItemNotFound`."""
        return self._row(id).vector

    def fetch(self, ids: Sequence[str]) -> dict[str, tuple[Record, NDArray[np.float32]]]:
        """Records and their vectors (dim,), of those ids that are there."""
        with self._reads():
            rows = [self._table.get(id) for id in ids]
        return {row.record.id: (row.record, row.vector) for row in rows if row is not None}

    def search(self, vectors: Vectors, k: int, where: Filter | None = None, with_vectors: int = 0) -> Hits:
        """The k nearest records for every query (B, dim), best first, ties by id; fewer when there are fewer.

        Only records for which `where` is true are found, and k of them when there are k. The first
        `with_vectors` hits have their vectors.

        Raises `ModelMismatch` for vectors of another dimension, `InvalidVector` for any that are not unit vectors.
        """
        if k < 1:
            raise ValueError(f"k is at least 1, not {k}")
        queries = check_vectors(vectors, self.dim)
        if where is not None:
            # Out here the scan keeps no writer waiting, and in there its answer is at hand. What fails fails in there.
            with suppress(CollectionError):
                self._table.matching(where)
        with self._reads() as index:
            among = None if where is None else self._table.matching(where)
            found = [nearest(index, query, k, among) for query in queries]
            rows = self._table.fetch(sorted({row for scores in found for row in scores}))
        return [ranked(scores, rows, k, with_vectors) for scores in found]

    def flush(self) -> None:
        """Write the index to disk, so that the next opening need not derive it again. Records need no flush."""
        with self._writing:
            self._check_open()
            self._flush()

    def build(self, recipe: RecipeName, recall: float = 0.95, tell: Tell = lambda *_: None) -> None:
        """Build the index that a recipe says, which finds at least so much of what exact search finds (recall@10).

        Searches and writes go on; the index there is changes over to the new one in one step, and only if that holds
        what it is to. From then on it is built again, in the background, when much has changed. Raises `InvalidRecipe`,
        `RecallMissed`, `BuildFailed` or `StorageFailed`; the former index stays then.
        """
        if recipe != "Flat":
            if not self.count:
                raise InvalidRecipe(f"collection {self.name!r} has no records to build an index of")
            return self._build(recipe, recall, Effort.full(), tell)
        with self._building, self._writing:
            self._check_open()
            manifest = self._manifest.model_copy(update={"recipe": recipe})
            self._swap(*self._derived.derive(self._table, manifest, self._state))
            self._flush()

    def close(self) -> None:
        """Flush, and let others open the collection. Waits for running searches; closing twice is fine.

        An index that is being built is given up.
        """
        self._renewal.stop()
        self._derived.builder.cancel()
        self._renewal.join()
        with self._building, self._writing:
            if self._closed:
                return
            try:
                self._flush()
            finally:
                with self._gate.write():
                    self._closed, self._index = True, None
                    self._table.close()
                    self._derived.files.seal(self._manifest)
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

    def _keep(self, media: Mapping[str, bytes], records: Sequence[Record]) -> None:
        with files.storage(f"media of {self.name!r} cannot be kept"):
            self._media.keep(media)
        for record in records:
            if record.uri is not None and record.uri.startswith(SCHEME) and self._media.path(record.uri) is None:
                raise InvalidRecord(f"the uri of {record.id!r} is that of media which collection {self.name!r} lacks")

    def _change(self, write: Callable[[], Change], vectors: Vectors) -> Change:
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
        self._derived.stored(self._table, self._manifest)
        self._renewal.start()
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
                    self._load()

    def _check_open(self) -> None:
        if self._closed:
            raise CollectionError(f"collection {self.name!r} is closed")

    def _load(self) -> None:
        state = self._table.state()
        index, manifest = self._derived.load(self._table, self._manifest, state)
        if isinstance(manifest.index, BaseFiles) and manifest != self._manifest:
            manifest.write(self._folder)
        self._index, self._manifest, self._state = index, manifest, state
        self._renewal.start()

    def _flush(self) -> None:
        self._manifest = self._derived.flush(self._index, self._table, self._manifest, self._state)

    def _is_worn(self) -> bool:
        index = self._index
        return index is not None and self._derived.is_worn(index, self._manifest)

    def _renew(self) -> None:
        self._build(self._manifest.recipe, self._manifest.recall, Effort.aside(), lambda *_: None)

    def _build(self, recipe: RecipeName, recall: float, effort: Effort, tell: Tell) -> None:
        with self._building:
            self._check_open()
            wanted, restored = self._manifest.model_copy(update={"recipe": recipe, "recall": recall}), self._restored
            with self._derived.built(wanted, effort, tell) as (base, file), self._writing:
                self._check_open()
                if restored != self._restored:
                    raise BuildFailed("other records were put in the place of those that the index was built of")
                index = self._derived.caught_up(base, file.seq, self._table, self._state)
                update = {"recipe": recipe, "recall": recall, "index": file}
                self._swap(index, self._manifest.model_copy(update=update))

    def _swap(self, index: VectorIndex, manifest: Manifest) -> None:
        """To another index of the same records, on disk and then in memory."""
        with files.storage(f"the manifest of {self.name!r} cannot be written"):
            manifest.write(self._folder)
        with self._gate.write():
            self._index, self._manifest = index, manifest
        self._derived.files.sweep(manifest)
