"""What of a collection follows from its records: the index, in memory and on disk. It may be lost at any time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import numpy as np

from index.durable import files
from index.durable.index_files import IndexFiles
from index.durable.rows import State
from index.durable.table import Table
from index.errors import BuildFailed, CollectionDamaged
from index.large import tuning
from index.large.base import Base
from index.large.builder import Builder, Effort, Tell
from index.large.gpu import Gpu
from index.large.layered import FEWEST_CHANGES, LayeredIndex
from index.manifest import BaseFiles, IndexFile, Manifest
from index.vectors import FaissIndex, VectorIndex

logger = logging.getLogger(__name__)

PROBES = 20
PROBE_SEED = 11
SLACK = 0.1
"""What a probe of few queries may miss that a measurement with many has found."""


class Derived:
    """The index of a collection: loaded, derived from the records, built anew.

    With a manifest comes what of it is on disk, and whoever calls writes what comes back.
    """

    def __init__(self, folder: Path, gpu: Gpu | None = None) -> None:
        self._folder = folder
        self.files = IndexFiles(folder, gpu)
        self.builder = Builder(folder)

    def load(self, table: Table, manifest: Manifest, state: State) -> tuple[VectorIndex, Manifest]:
        """The index on disk brought up to the records, or derived from them where there is none of any use.

        Raises `CollectionDamaged` when the index is newer than the records.
        """
        file = manifest.index
        if file is not None:
            _check_age(manifest.name, file, state)
        try:
            if isinstance(file, BaseFiles):
                base, whole = self.files.base(manifest, file)
                return self.caught_up(base, file.seq, table, state), manifest.model_copy(update={"index": whole})
            if file is not None and file.seq == state.seq:
                return self.files.flat(file, manifest.dim), manifest
        except (OSError, ValueError) as error:
            logger.warning("collection %s: the index is derived again from the records: %s", manifest.name, error)
        return self.derive(table, manifest, state)

    def derive(self, table: Table, manifest: Manifest, state: State) -> tuple[VectorIndex, Manifest]:
        """An index that follows from the records alone.

        Of any recipe but `Flat` these are the full vectors, in a file; searches compare each until more is built.
        """
        if manifest.recipe == "Flat" or not state.count:
            index = FaissIndex(manifest.dim)
            with closing(table.chunks()) as chunks:
                for rows, vectors in chunks:
                    index.add(rows, vectors)
            return index, manifest.model_copy(update={"index": None})
        with _writing(manifest), closing(table.chunks()) as chunks:
            file = self.files.write_vectors(chunks, state.seq)
            base, _ = self.files.base(manifest, file)
        return LayeredIndex(base), manifest.model_copy(update={"index": file})

    def caught_up(self, base: Base, seq: int, table: Table, state: State) -> LayeredIndex:
        """An index of what is stored now, over a base of what was stored at `seq`; `ValueError` if it is of others."""
        index, recent = LayeredIndex(base), [np.empty(0, np.int64)]
        with closing(table.changes(seq)) as chunks:
            for rows, vectors in chunks:
                index.remove(rows)
                index.add(rows, vectors)
                recent.append(rows)
        if index.count != state.count:
            there = np.concatenate([table.unchanged(seq), *recent])
            index.remove(np.setdiff1d(base.matrix.ids, there))
        if index.count != state.count:
            raise ValueError(f"there are {index.count} vectors for {state.count} records")
        return index

    @contextmanager
    def built(self, manifest: Manifest, effort: Effort, tell: Tell) -> Iterator[tuple[Base, BaseFiles]]:
        """A new base, built by the manifest's recipe, loaded from its files and probed.

        That takes long, and the records may change meanwhile. Raises `BuildFailed` and what else the builder does.
        """
        order: dict[str, object] = {
            "folder": str(self._folder),
            "dim": manifest.dim,
            "recipe": manifest.recipe,
            "recall": manifest.recall,
            "threads": effort.threads,
            "nice": effort.nice,
        }
        with self.builder.run(order, tell) as (made, file):
            tell("loading the index", 0, 1)
            try:
                with _writing(manifest):
                    self.files.take(made, file)
                    base, whole = self.files.base(manifest, file)
                if whole != file:
                    raise BuildFailed("the new index cannot be read back")
                _probe(base, file, manifest.recall)
                tell("loading the index", 1, 1)
                yield base, file
            except BaseException:
                self.files.drop(file)
                raise

    def is_worn(self, index: VectorIndex, manifest: Manifest) -> bool:
        """Whether another index is worth building: so much has changed, or there is none of the recipe."""
        if isinstance(index, LayeredIndex):
            return index.is_worn or index.base.finder is None
        return manifest.recipe != "Flat" and index.count >= FEWEST_CHANGES

    def stored(self, table: Table, manifest: Manifest) -> None:
        """After each batch."""
        if table.trim():
            self.files.seal(manifest)

    def flush(self, index: VectorIndex | None, table: Table, manifest: Manifest, state: State) -> Manifest:
        """Write what is not on disk yet; a large index needs no more than it has."""
        if index is None or (manifest.index is not None and manifest.index.seq == state.seq):
            return manifest
        table.checkpoint()
        if isinstance(index, FaissIndex):
            with _writing(manifest):
                manifest = manifest.model_copy(update={"index": self.files.write_flat(index, state.seq)})
                manifest.write(self._folder)
                self.files.sweep(manifest)
        self.files.seal(manifest)
        return manifest


def _writing(manifest: Manifest) -> AbstractContextManager[None]:
    return files.storage(f"the index of {manifest.name!r} cannot be written")


def _check_age(name: str, file: IndexFile | BaseFiles, state: State) -> None:
    same = isinstance(file, BaseFiles) or file.count == state.count
    if file.seq > state.seq or (file.seq == state.seq and not same):
        raise CollectionDamaged(
            f"the records of {name!r} are at version {state.seq}, older than its index ({file.seq}): "
            "they were lost or put back; restore the collection's whole folder from a copy, or delete it"
        )


def _probe(base: Base, file: BaseFiles, recall: float) -> None:
    """Ask some questions that were not used in tuning."""
    if file.built is not None and base.finder is not None:
        asked = tuning.questions(base.matrix, PROBE_SEED, PROBES)
        found = tuning.recall_of(base, asked).mean
        if found < recall - SLACK:
            raise BuildFailed(f"the new index was to have a recall of {recall}; it was loaded, and has {found:.3f}")
