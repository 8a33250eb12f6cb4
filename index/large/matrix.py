"""Full vectors in a file: mapped into memory, never copied there, and compared exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from index.records import Vectors
from index.vectors import Ids, Scores, faiss

_ALIGNMENT = 8


class Matrix:
    """Vectors (count, dim) with their ids, which ascend. What is at place p has id `ids[p]`.

    The file holds the vectors as little-endian float32, then the ids as int64. It is never written in place.
    """

    def __init__(self, path: Path, count: int, dim: int) -> None:
        """Map a file that `write` made; `ValueError` when it is something else, `OSError` when it cannot be read."""
        start = _ids_start(count, dim)
        if (size := path.stat().st_size) != start + 8 * count:
            raise ValueError(f"{path.name} has {size} bytes, not {start + 8 * count}")
        self.vectors: Vectors = np.memmap(path, "<f4", "r", 0, (count, dim))
        self.ids: Ids = np.memmap(path, "<i8", "r", start, (count,))
        if count and (self.ids[0] < 0 or not (self.ids[:-1] < self.ids[1:]).all()):
            raise ValueError(f"the ids in {path.name} do not ascend")

    @property
    def count(self) -> int:
        return len(self.ids)

    @property
    def dim(self) -> int:
        return int(self.vectors.shape[1])

    def search(self, query: Vectors, k: int, places: Ids | None = None) -> tuple[Scores, Ids]:
        """Scores, best first, and places (K) for one query (dim,), among all places or only these.

        K is k, or the number of candidates where that is less. Scores are those of `FaissIndex`, to the last bit.
        """
        k = min(k, self.count if places is None else len(places))
        scores, found = np.empty(k, np.float32), np.empty(k, np.int64)
        if k:
            faiss.omp_set_num_threads(1)
            chosen = None if places is None else faiss.IDSelectorArray(places)
            pointers = (faiss.swig_ptr(array) for array in (np.ascontiguousarray(query), self.vectors))
            faiss.knn_inner_product(
                *pointers, self.dim, 1, self.count, k, faiss.swig_ptr(scores), faiss.swig_ptr(found), chosen
            )
        return scores, found

    def places(self, ids: Ids) -> Ids:
        """Where those of the ids are that are here."""
        places = np.searchsorted(self.ids, ids)
        here = places < self.count
        here[here] = self.ids[places[here]] == ids[here]
        found: Ids = places[here].astype(np.int64, copy=False)
        return found


def write(path: Path, chunks: Iterable[tuple[Ids, Vectors]]) -> tuple[int, str]:
    """Fill a new file, some vectors at a time, ids ascending. Returns how many there are, and the file's SHA-256."""
    digest, ids, size = hashlib.sha256(), [np.empty(0, np.int64)], 0
    with path.open("wb") as file:

        def put(data: bytes) -> int:
            digest.update(data)
            return file.write(data)

        for some, vectors in chunks:
            size += put(vectors.astype("<f4", copy=False).tobytes())
            ids.append(some)
        every = np.concatenate(ids)
        put(bytes(-size % _ALIGNMENT))
        put(every.astype("<i8", copy=False).tobytes())
    return len(every), digest.hexdigest()


def _ids_start(count: int, dim: int) -> int:
    size = 4 * count * dim
    return size + -size % _ALIGNMENT
