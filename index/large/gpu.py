"""Candidates from a GPU, where there is one: the same files as ever, copied to where they are searched.

FAISS on a GPU is not safe for concurrent use, not even for searches: one thread does all that is done there.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import numpy as np

from index.large.matrix import Matrix
from index.large.recipes import RECIPES
from index.manifest import Built
from index.records import Vectors
from index.vectors import Ids, faiss

logger = logging.getLogger(__name__)

MOST_WANTED = 2048
"""Neighbours, and lists, that FAISS finds on a GPU."""
CHUNK = 100_000
"""Vectors that go to the GPU at one time."""
DEVICE = 0

T = TypeVar("T")


def has_gpu() -> bool:
    """Whether there is one that FAISS can use."""
    return bool(faiss.get_num_gpus()) and hasattr(faiss, "StandardGpuResources")


class Gpu:
    """The thread that owns the GPU, and FAISS's resources there."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpu index")
        self._resources: Any = self.run(lambda: faiss.StandardGpuResources())

    @classmethod
    def find(cls) -> Self | None:
        """None without a GPU, or without a FAISS that can use it."""
        return cls() if has_gpu() else None

    def run(self, work: Callable[[], T]) -> T:
        """In the thread; waits."""
        return self._thread.submit(work).result()

    def later(self, work: Callable[[], object]) -> None:
        self._thread.submit(work)

    def take(self, built: Built, index: Any, full: Matrix) -> OnGpu | None:
        """A copy of a built index. None for recipes that FAISS has only for processors, and where it does not fit."""
        recipe = RECIPES[built.recipe]
        if recipe.graph or recipe.codes == "product":
            return None
        try:
            copy = self.run(lambda: self._lists(index) if recipe.lists else self._flat(full))
        except RuntimeError as error:  # of FAISS: most often that there is no memory left
            logger.warning("an index stays off the GPU: %s", error)
            return None
        return OnGpu(self, copy, built.setting.nprobe)

    def _lists(self, index: Any) -> Any:
        options = faiss.GpuClonerOptions()
        # The graph over very many centres stays where it is.
        options.allowCpuCoarseQuantizer = True
        return faiss.index_cpu_to_gpu(self._resources, DEVICE, index, options)

    def _flat(self, full: Matrix) -> Any:
        """Every vector in half precision: there are no bytes on a GPU without lists, and it is quick anyway."""
        config = faiss.GpuIndexFlatConfig()
        config.device, config.useFloat16 = DEVICE, True
        index = faiss.GpuIndexFlatIP(self._resources, full.dim, config)
        for start in range(0, full.count, CHUNK):
            index.add(np.ascontiguousarray(full.vectors[start : start + CHUNK]))
        return index


class OnGpu:
    """Like `Approximate`, on the GPU. Any number of threads may ask; they wait for each other."""

    def __init__(self, gpu: Gpu, index: Any, nprobe: int | None) -> None:
        self._gpu, self._nprobe = gpu, nprobe
        self.dim, self.count = int(index.d), int(index.ntotal)
        self._held = [index]
        # Its memory is given back by the thread that owns the GPU, and not by whoever searched last.
        weakref.finalize(self, gpu.later, self._held.clear).atexit = False

    def candidates(self, query: Vectors, wanted: int, among: Any | None = None, wider: float = 1.0) -> Ids:
        """As `Approximate` does it. Nothing can be left out of a search there: more is found, and left out here."""
        more = min(round(wanted * wider), MOST_WANTED)
        found = self._gpu.run(lambda: self._search(query, more, wider))
        places = found[found >= 0]
        if among is None:
            return places
        allowed = np.fromiter((among.is_member(int(place)) for place in places), np.bool_, len(places))
        return places[allowed][:wanted]

    def _search(self, query: Vectors, wanted: int, wider: float) -> Ids:
        (index,) = self._held
        if self._nprobe is not None:
            index.nprobe = min(round(self._nprobe * wider), index.nlist, MOST_WANTED)
        found: Ids = index.search(query[np.newaxis], min(wanted, self.count))[1][0]
        return found
