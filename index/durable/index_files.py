"""The files of an index: nothing in them is used before it is known that they are as they were written."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from index.durable import files
from index.durable.seals import Seals
from index.errors import CollectionDamaged
from index.large import approximate, matrix
from index.large.approximate import Approximate
from index.large.base import Base, Finder
from index.large.builder import PREFIX
from index.large.building import INDEX, VECTORS
from index.large.gpu import Gpu
from index.large.matrix import Matrix
from index.large.recipes import RECIPES
from index.manifest import BaseFiles, Built, IndexFile, Manifest
from index.records import Vectors
from index.vectors import FaissIndex, Ids

logger = logging.getLogger(__name__)

_OTHERS = ("index-*.faiss", "vectors-*.f32", ".index-*.new", ".manifest.json.new")


class IndexFiles:
    """Of one collection. Methods raise `OSError`, and `ValueError` for files that are damaged or of something else."""

    def __init__(self, folder: Path, gpu: Gpu | None = None) -> None:
        """gpu: where built indexes are searched, those that can be."""
        self._folder, self._gpu = folder, gpu
        self._seals = Seals(folder)

    def trusts(self, records: str) -> bool:
        """Whether the file of the records is as this package left it. To be asked before it is opened.

        There may be a log beside it, after a kill: SQLite has checksums in that.
        """
        return self._seals.hold(records)

    def seal(self, manifest: Manifest) -> None:
        """Note that the records are whole as they are now: they were before, and only this package wrote to them."""
        self._seals.put(manifest.records)
        self._seals.write((manifest.records, *_names(manifest)))

    def sweep(self, manifest: Manifest) -> None:
        """Delete the files of every other index."""
        kept = {self._folder / name for name in _names(manifest)}
        for path in [path for pattern in _OTHERS for path in self._folder.glob(pattern)]:
            if path not in kept:
                path.unlink(missing_ok=True)

    def flat(self, file: IndexFile, dim: int) -> FaissIndex:
        """Read it into memory."""
        self._check(file.name, file.sha256)
        index = FaissIndex.load(self._folder / file.name)
        if (index.dim, index.count) != (dim, file.count):
            raise ValueError(f"{file.name} is the index of another collection")
        return index

    def base(self, manifest: Manifest, file: BaseFiles) -> tuple[Base, BaseFiles]:
        """Map into memory what is whole of it, and say what that is: without its vectors nothing is."""
        self._check(file.vectors_name, file.vectors)
        full = Matrix(self._folder / file.vectors_name, file.count, manifest.dim)
        try:
            return Base(full, self._finder(file, full)), file
        except (OSError, ValueError) as error:
            reason = "collection %s: until its index is built again every vector is compared: %s"
            logger.warning(reason, manifest.name, error)
            return Base(full, None), file.model_copy(update={"built": None})

    def write_flat(self, index: FaissIndex, seq: int) -> IndexFile:
        """Durably."""
        path = self._folder / f"index-{seq}.faiss"
        files.replace(path, index.save)
        self._seals.put(path.name)
        return IndexFile(seq=seq, count=index.count, sha256=files.sha256(path))

    def write_vectors(self, chunks: Iterable[tuple[Ids, Vectors]], seq: int) -> BaseFiles:
        """Durably; ids ascend, and there are some."""
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=self._folder) as made:
            count, digest = matrix.write(Path(made, VECTORS), chunks)
            file = BaseFiles(seq=seq, count=count, vectors=digest)
            self.take(Path(made), file)
        return file

    def take(self, made: Path, file: BaseFiles) -> None:
        """Move what was made in another folder of this disk to where it belongs, durably."""
        for source, name in ((VECTORS, file.vectors_name), (INDEX, file.index_name)):
            if name is not None:
                files.sync(made / source)
                (made / source).rename(self._folder / name)
        files.sync_directory(self._folder)

    def drop(self, file: BaseFiles) -> None:
        """Delete what was taken and came to be of no use; not what the index that counts consists of, too."""
        with suppress(CollectionDamaged, OSError):
            kept = _names(Manifest.read(self._folder))
            for name in (file.vectors_name, file.index_name):
                if name is not None and name not in kept:
                    (self._folder / name).unlink(missing_ok=True)

    def _finder(self, file: BaseFiles, full: Matrix) -> Finder | None:
        if file.built is None:
            return None
        path = self._folder / str(file.index_name)
        self._check(path.name, file.built.sha256)
        index = approximate.load(path, RECIPES[file.built.recipe].lists)
        if (index.d, index.ntotal) != (full.dim, full.count):
            raise ValueError(f"{path.name} is the index of other vectors")
        on_gpu = None if self._gpu is None else self._gpu.take(file.built, index, full)
        found = on_gpu or Approximate(index, file.built.setting)
        return Finder(found, file.built.setting.depth, _exact_share(file.built))

    def _check(self, name: str, sha256: str) -> None:
        if not self._seals.hold(name):
            self._seals.put(name)  # before it is read: what is written to it meanwhile breaks the seal
            if files.sha256(self._folder / name) != sha256:
                raise ValueError(f"the checksum of {name} is wrong")


def _exact_share(built: Built) -> float:
    """Comparing a share s of all costs s of an exact search; to find as many of them, a search goes 1/s as far."""
    return min(1.0, math.sqrt(built.ms / built.exact_ms)) if built.exact_ms else 1.0


def _names(manifest: Manifest) -> list[str]:
    match manifest.index:
        case IndexFile(name=name):
            return [name]
        case BaseFiles(vectors_name=vectors, index_name=index):
            return [name for name in (vectors, index) if name is not None]
        case _:
            return []
