"""The engine of many machines: Ray Data runs the pure function of a batch wherever there is room.

Every machine of the cluster has to see the sources' files under the same paths, and the model. Records are written
here, by the one process that has the collection open.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bulk.decoding import give_memory_back
from app.bulk.embedding import Embedded, embed_items
from app.bulk.errors import SourceError
from app.bulk.items import Item
from index.manifest import Kind
from models.protocol import Encoder

WINDOW = 100_000
"""Items that are planned together: some megabytes of them are held here, and a model is loaded once for so many."""


class Embedder:
    """What runs on the cluster: one model, loaded once."""

    def __init__(self, kind: Kind, load: Callable[[], Encoder], max_seconds: float) -> None:
        give_memory_back()
        self._kind, self._encoder, self._max_seconds = kind, load(), max_seconds

    def __call__(self, batch: dict[str, NDArray[np.object_]]) -> dict[str, list[bytes]]:
        """A batch of pickled items becomes one pickled `Embedded`."""
        items = [pickle.loads(item) for item in batch["item"]]  # noqa: S301  from ourselves
        return {"embedded": [pickle.dumps(embed_items(items, self._kind, self._encoder, self._max_seconds))]}


@contextmanager
def embedded(
    items: Iterable[Item], kind: Kind, load: Callable[[], Encoder], max_seconds: float, size: int
) -> Iterator[Iterator[Embedded]]:
    """The items in batches of at most `size`, in any order. `load` makes a model, on whichever machine.

    Uses the cluster that RAY_ADDRESS names, or one of this machine alone, which ends with the context. Raises
    `SourceError` without the package.
    """
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        ray.init(log_to_driver=False, logging_level=logging.WARNING)
    _quieten(ray)
    try:
        workers = _workers(ray)
        yield _batches(ray, items, {"kind": kind, "load": load, "max_seconds": max_seconds}, size, workers)
    finally:
        if ours:
            ray.shutdown()


def _ray() -> Any:
    # Nothing about what runs here is told to anybody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import_module("ray.data")
        return import_module("ray")
    except ImportError:
        raise SourceError("--engine ray needs Ray: install speechclip-search[ray]") from None


def _quieten(ray: Any) -> None:
    """The terminal shows how far this command is; what Ray plans is of no use beside it."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)


def _workers(ray: Any) -> dict[str, Any]:
    """A model for every GPU, or else for every core but the one that hands out the work."""
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    each = {"num_gpus": 1, "num_cpus": max(1, cpus // gpus - 1)} if gpus else {"num_cpus": 1}
    most = gpus or max(1, cpus - 1)
    return {"compute": ray.data.ActorPoolStrategy(min_size=1, max_size=most), **each}


def _batches(
    ray: Any, items: Iterable[Item], arguments: dict[str, Any], size: int, workers: dict[str, Any]
) -> Iterator[Embedded]:
    remaining = iter(items)
    while window := [{"item": pickle.dumps(item)} for item in islice(remaining, WINDOW)]:
        blocks = max(1, len(window) // size)
        planned = ray.data.from_items(window, override_num_blocks=blocks)
        done = planned.map_batches(Embedder, fn_constructor_kwargs=arguments, batch_size=size, **workers)
        for row in done.iter_rows():
            yield pickle.loads(row["embedded"])  # noqa: S301  from ourselves
