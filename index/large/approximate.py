"""An index that looks at some of the vectors only: how FAISS is told what to look at, and how its file is mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from index.manifest import Setting
from index.records import Vectors
from index.vectors import Ids, faiss


class Approximate:
    """Finds places of vectors that are probably near. It never changes; safe for concurrent searches.

    How far a search goes is told with every search: a setting in the index itself would be everybody's.
    """

    def __init__(self, index: Any, setting: Setting) -> None:
        self._index = index
        self._setting = setting
        lists = None if setting.nprobe is None else faiss.extract_index_ivf(index)
        self._lists = 0 if lists is None else lists.nlist
        self._graph = lists is not None and isinstance(faiss.downcast_index(lists.quantizer), faiss.IndexHNSW)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    @property
    def count(self) -> int:
        return int(self._index.ntotal)

    def candidates(self, query: Vectors, wanted: int, among: Any | None = None, wider: float = 1.0) -> Ids:
        """Up to `wanted` places for one query (dim,), in no order.

        among: a FAISS selector of the places that may be found. wider: how many times further to look than usual,
        because most of what is looked at may not be found.
        """
        faiss.omp_set_num_threads(1)
        _, found = self._index.search(query[np.newaxis], wanted, params=self._parameters(wanted, among, wider))
        places: Ids = found[0][found[0] >= 0]
        return places

    def _parameters(self, wanted: int, among: Any | None, wider: float) -> Any:
        setting = self._setting
        if setting.ef is not None:
            return faiss.SearchParametersHNSW(efSearch=max(round(setting.ef * wider), wanted), sel=among)
        if setting.nprobe is None:
            return faiss.SearchParameters(sel=among)
        nprobe = min(round(setting.nprobe * wider), self._lists)
        centres = faiss.SearchParametersHNSW(efSearch=2 * nprobe) if self._graph else None
        lists = faiss.SearchParametersIVF(nprobe=nprobe, sel=among, quantizer_params=centres)
        if isinstance(self._index, faiss.IndexPreTransform):
            return faiss.SearchParametersPreTransform(index_params=lists)
        return lists


def load(path: Path, lists: bool) -> Any:
    """Map the file of an index into memory. `ValueError` when it is none, or not of inner products.

    lists: whether its vectors lie in lists. Only files whose checksum is known may come here: FAISS trusts them.
    """
    flags = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if lists else faiss.IO_FLAG_MMAP_IFC
    try:
        index = faiss.read_index(str(path), flags)
    except RuntimeError as error:
        raise ValueError(f"{path.name} is not a FAISS index: {error}") from error
    if index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ValueError(f"{path.name} is a FAISS index of another kind")
    held = faiss.downcast_InvertedLists(faiss.extract_index_ivf(index).invlists) if lists else None
    if isinstance(held, faiss.OnDiskInvertedLists):
        held.prefetch_nthread = 0  # else every search starts threads that read ahead
    return index
