"""Nearest neighbours in memory: what a collection asks of an index, and FAISS's exact answer to it.

This is the one place where FAISS is imported; import it before torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from index.records import Vectors

try:
    import faiss as library
except (ImportError, RuntimeError) as error:  # faiss-gpu without its CUDA libraries raises RuntimeError
    raise ImportError(
        "FAISS cannot be imported. Install exactly one of faiss-cpu (extra 'cpu') and faiss-gpu (extra 'gpu'): "
        f"both own the module 'faiss'. The reason given: {error}"
    ) from error

faiss: Any = library
"""For the other modules too. Its own annotations do not know what its Python layer adds."""

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]


class VectorIndex(Protocol):
    """Unit vectors under integer ids, searched by inner product.

    Safe for concurrent searches, not for a search beside a change: the collection keeps them apart. A score depends on
    the query and the vector alone, never on where the vector lies or what else is in the batch.
    """

    @property
    def dim(self) -> int: ...

    @property
    def count(self) -> int: ...

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add vectors (N, dim) under ids (N) that are not there yet."""

    def remove(self, ids: Ids) -> None:
        """Remove what is there under these ids."""

    def search(self, vectors: Vectors, k: int, among: Ids | None = None) -> tuple[Scores, Ids]:
        """Scores, best first, and ids, both (B, K), for queries (B, dim). Ties in any order.

        `among` are the only ids that may be found: ascending, each once; those that are not there are passed over.
        K is k, or the number of vectors that may be found where that is less.
        """


class FaissIndex:
    """Every vector compared with every query: FAISS's `IDMap2,Flat`."""

    def __init__(self, dim: int) -> None:
        self._index = faiss.index_factory(dim, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    @property
    def count(self) -> int:
        return int(self._index.ntotal)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        if len(ids):
            self._index.add_with_ids(vectors, ids)

    def remove(self, ids: Ids) -> None:
        if len(ids):
            self._index.remove_ids(faiss.IDSelectorBatch(ids))

    def search(self, vectors: Vectors, k: int, among: Ids | None = None) -> tuple[Scores, Ids]:
        ids = self._ids()
        places = None if among is None else np.flatnonzero(np.isin(ids, among))
        k = min(k, len(ids) if places is None else len(places))
        scores = np.empty((len(vectors), k), np.float32)
        found = np.empty((len(vectors), k), np.int64)
        if k:
            # FAISS reads the vectors at these places alone; places in `_index` itself would cost a look at every id.
            selection = None if places is None else faiss.SearchParameters(sel=faiss.IDSelectorArray(places))
            # OpenMP keeps the number of threads per calling thread, so setting it once at import is not enough.
            faiss.omp_set_num_threads(1)
            # One query at a time: a large batch may go through a matrix product, whose rounding depends on its tiles.
            for row in range(len(vectors)):
                one = slice(row, row + 1)
                self._index.index.search(vectors[one], k, params=selection, D=scores[one], I=found[one])
        return scores, ids[found]

    def _ids(self) -> Ids:
        """The id at every place, as FAISS holds it."""
        ids: Ids = faiss.rev_swig_ptr(self._index.id_map.data(), self.count) if self.count else np.empty(0, np.int64)
        return ids

    def save(self, path: Path) -> None:
        """Write the index to a file."""
        try:
            faiss.write_index(self._index, str(path))
        except RuntimeError as error:  # what FAISS makes of a failed open or a short write
            raise OSError(f"cannot write {path.name}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; `ValueError` when it is something else."""
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise ValueError(f"{path.name} is not a FAISS index: {error}") from error
        if not isinstance(index, faiss.IndexIDMap2) or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ValueError(f"{path.name} is a FAISS index of another kind")
        loaded = cls.__new__(cls)
        loaded._index = index
        return loaded
