"""What keeps a collection in order: compacting, snapshots, and restoring one. Each makes another file of records."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from index.derived import Derived
from index.durable import files, generations
from index.durable.locks import Gate
from index.durable.media import Media
from index.durable.rows import State
from index.durable.snapshot import Contents, Snapshot
from index.durable.table import FILE_NAME, Table
from index.large.renewal import Renewal
from index.manifest import Manifest
from index.vectors import VectorIndex


class Upkeep(ABC):
    """A part of `Collection`, which has all that is named here."""

    _folder: Path
    _upkeep: threading.Lock
    _writing: threading.Lock
    _gate: Gate
    _media: Media
    _derived: Derived
    _renewal: Renewal
    _table: Table
    _manifest: Manifest
    _state: State
    _index: VectorIndex | None
    _restored: int
    """How often other records were put in the place of those that were there."""

    @abstractmethod
    def _check_open(self) -> None: ...

    @abstractmethod
    def _flush(self) -> None: ...

    def size(self) -> int:
        """Bytes on disk of records and index."""
        with files.storage(f"the size of {self._manifest.name!r} cannot be read"):
            return files.size(self._folder, "*")

    def media_size(self) -> int:
        """Bytes on disk of the media that it keeps, until compacting also of what no record names any more."""
        with files.storage(f"the size of the media of {self._manifest.name!r} cannot be read"):
            return self._media.size()

    def compact(self) -> tuple[int, int]:
        """Give back the room of what was deleted or replaced: of records, and of media that no record names.

        Searches go on, writers wait. The bytes of its folder before and after.
        """
        before = files.size(self._folder)
        with self._upkeep, self._writing:
            self._check_open()
            with self._another() as (file, opened):
                self._table.copy(self._folder / file)
                table = opened(self._manifest.dim)
                state, used = table.check(), table.uris()
                self._change_over(table, self._manifest.model_copy(update={"records": file}), state, self._index)
            with files.storage(f"media of {self._manifest.name!r} cannot be swept"):
                self._media.sweep(used)
            self._flush()
        return before, files.size(self._folder)

    def snapshot(self, path: Path) -> Snapshot:
        """Write all of it into one file, as it is at one moment; searches and writes go on."""
        with self._upkeep, generations.another(self._folder) as file:
            self._check_open()
            manifest = self._manifest.model_copy(update={"index": None, "records": FILE_NAME})
            try:
                return self._snapshot(path, manifest, self._folder / file)
            finally:
                generations.remove(self._folder, file)

    def restore(self, snapshot: Snapshot) -> None:
        """Put what a snapshot holds in the place of all that is here, in one step; its version is a new one.

        The snapshot's kind and model are the collection's then. Searches go on; they see the old or the new.
        """
        with self._upkeep, self._writing:
            self._check_open()
            with self._another() as (file, opened):
                with self._media.replaced():
                    snapshot.unpack(self._folder, file)
                new = snapshot.manifest_for(self._manifest.name, file)
                table = opened(new.dim)
                table.check()
                state = table.renumber(max(self._state.seq, snapshot.contents.version) + 1)
                index, new = self._derived.derive(table, new, state)
                self._restored += 1
                self._change_over(table, new, state, index)
            self._flush()
            self._renewal.start()

    def _change_over(self, table: Table, manifest: Manifest, state: State, index: VectorIndex | None) -> None:
        """To another file of records. From the moment that the manifest is written it is the one that counts."""
        old = self._table
        with self._gate.write(), files.storage(f"the manifest of {self._manifest.name!r} cannot be written"):
            try:
                manifest.write(self._folder)
            finally:
                # Also where it was written and could not be synchronised: writes go where the next opening looks.
                if generations.counts(self._folder, manifest.records):
                    self._table = table
                    self._manifest, self._state, self._index = manifest, state, index
        old.close()
        with files.storage(f"the former records of {self._manifest.name!r} cannot be deleted"):
            generations.remove_others(self._folder, manifest.records)

    @contextmanager
    def _another(self) -> Iterator[tuple[str, Callable[[int], Table]]]:
        """The name of a new file of records and the way to open it; it is closed and gone unless it came to count."""
        tables = list[Table]()

        def opened(dim: int) -> Table:
            tables.append(Table(self._folder, dim, file))
            return tables[0]

        with generations.another(self._folder) as file:
            try:
                yield file, opened
            finally:
                for table in tables:
                    if table is not self._table:
                        table.close()

    def _snapshot(self, path: Path, manifest: Manifest, copy: Path) -> Snapshot:
        self._table.copy(copy)
        with closing(Table(self._folder, manifest.dim, copy.name)) as table:
            state, uris = table.check(), table.uris()
        media = sorted({file for uri in uris if (file := self._media.intact(uri)) is not None})
        contents = Contents(
            manifest=manifest, version=state.seq, count=state.count, records=files.sha256(copy), media=len(media)
        )
        return Snapshot.write(path, contents, copy, media)
