"""Candidates from a GPU: by one thread, with the same answers, and none where there is none.

FAISS's functions for GPUs are replaced by the same on a processor, which see to it that they are used as is allowed.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from index.large import approximate
from index.large.approximate import Approximate
from index.large.base import Base, Candidates, Finder, Selection
from index.large.builder import Builder
from index.large.gpu import MOST_WANTED, Gpu, OnGpu
from index.large.matrix import Matrix
from index.large.recipes import RECIPES, RecipeName
from index.manifest import Built
from index.store import Store
from index.vectors import faiss
from tests.index.built_base import base_of, clustered, matrix_of, setting_of
from tests.index.built_collection import record, run_here

COUNT = 3_000
ON_GPU: list[RecipeName] = ["FP16", "SQ8", "IVF-Flat", "IVF-SQ8"]


class Device:
    """What is held there, and which threads have been."""

    def __init__(self) -> None:
        self.threads: set[str] = set()
        self.held = 0
        self.room = True

    def visit(self) -> None:
        self.threads.add(threading.current_thread().name)


class Copied:
    """An index on the device."""

    def __init__(self, device: Device, index: Any) -> None:
        device.visit()
        self._device, self._source, self._index = device, index, faiss.downcast_index(index)
        device.held += 1
        if not device.room:
            raise RuntimeError("out of memory")
        self.d = index.d
        self.nlist = getattr(index, "nlist", 0)
        self.nprobe = 1

    @property
    def ntotal(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: Any) -> None:
        self._device.visit()
        self._index.add(vectors)

    def search(self, queries: Any, k: int) -> Any:
        self._device.visit()
        assert k <= MOST_WANTED
        if self.nlist:
            assert self.nprobe <= MOST_WANTED
            return self._index.search(queries, k, params=faiss.SearchParametersIVF(nprobe=self.nprobe))
        return self._index.search(queries, k)

    def __del__(self) -> None:
        self._device.visit()
        self._device.held -= 1


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    device = Device()

    def made(resources: object, dim: int, config: SimpleNamespace) -> Copied:
        assert config.useFloat16
        return Copied(device, faiss.IndexFlatIP(dim))

    new: dict[str, object] = {
        "get_num_gpus": lambda: 1,
        "StandardGpuResources": lambda: device.visit(),
        "GpuClonerOptions": SimpleNamespace,
        "GpuIndexFlatConfig": SimpleNamespace,
        "GpuIndexFlatIP": made,
        "index_cpu_to_gpu": lambda resources, number, index, options: Copied(device, index),
    }
    for name, value in new.items():
        monkeypatch.setattr(faiss, name, value, raising=False)
    return device


@pytest.fixture
def gpu(device: Device) -> Gpu:
    gpu = Gpu.find()
    assert gpu is not None
    return gpu


@pytest.fixture
def full(tmp_path: Path) -> Matrix:
    return matrix_of(tmp_path, np.arange(COUNT), clustered(COUNT))


def taken(gpu: Gpu, name: RecipeName, full: Matrix, folder: Path) -> tuple[OnGpu | None, Approximate]:
    base_of(folder, name, full)
    index = approximate.load(folder / "index", RECIPES[name].lists)
    setting = setting_of(name)
    built = Built(recipe=name, sha256="0" * 64, setting=setting, recall=1.0, queries=1, ms=1.0, exact_ms=1.0)
    return gpu.take(built, index, full), Approximate(index, setting)


@pytest.mark.parametrize("name", ON_GPU)
def test_it_finds_what_a_processor_finds(gpu: Gpu, full: Matrix, tmp_path: Path, name: RecipeName) -> None:
    there, here = taken(gpu, name, full, tmp_path)
    assert there is not None
    assert (there.dim, there.count) == (full.dim, full.count)
    for query in clustered(20, seed=5):
        some, same = there.candidates(query, 50), here.candidates(query, 50)
        assert len(np.intersect1d(some, same)) >= 0.9 * len(same)


def test_only_the_thread_that_owns_it_is_ever_there(gpu: Gpu, full: Matrix, tmp_path: Path, device: Device) -> None:
    there, _ = taken(gpu, "IVF-SQ8", full, tmp_path)
    assert there is not None
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(partial(there.candidates, wanted=10), clustered(100, seed=6)))
    assert all(len(places) == 10 for places in found)
    del there  # and with it what it held
    gpu.run(lambda: None)
    assert device.held == 0
    assert len(device.threads) == 1
    assert threading.current_thread().name not in device.threads


@pytest.mark.parametrize("name", ["HNSW", "HNSW-SQ8", "IVF-PQ"])
def test_what_faiss_cannot_put_there_stays(gpu: Gpu, full: Matrix, tmp_path: Path, name: RecipeName) -> None:
    assert taken(gpu, name, full, tmp_path)[0] is None


def test_without_room_it_stays_where_it_is(
    gpu: Gpu, full: Matrix, tmp_path: Path, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device.room = False
    assert taken(gpu, "FP16", full, tmp_path)[0] is None
    assert "out of memory" in caplog.text


@pytest.mark.parametrize("name", ON_GPU)
def test_only_what_may_be_found_is_found_and_enough_of_it(
    gpu: Gpu, full: Matrix, tmp_path: Path, name: RecipeName
) -> None:
    there, _ = taken(gpu, name, full, tmp_path)
    assert there is not None
    base = Base(full, Finder(there, depth=4, exact_share=0.0))
    for places in (np.arange(0, COUNT, 3), np.arange(0, COUNT, 100), np.arange(7), np.empty(0, np.int64)):
        selection = Selection(places, COUNT)
        _, found = base.search(clustered(1, seed=8)[0], 10, selection)
        assert np.isin(found, places).all()
        assert len(found) == min(10, len(places))


def test_more_than_a_gpu_finds_at_once_is_found_anyway(gpu: Gpu, full: Matrix, tmp_path: Path) -> None:
    there, _ = taken(gpu, "FP16", full, tmp_path)
    assert there is not None
    _, found = Base(full, Finder(there, depth=1, exact_share=0.0)).search(clustered(1, seed=9)[0], 2_500)
    assert len(np.unique(found)) == 2_500


def searcher(collection: Any) -> Candidates:
    found: Candidates = collection._index.base.finder.index
    return found


def test_a_collection_searches_there_once_its_index_is_built(
    gpu: Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Builder, "run", run_here)
    with Store(tmp_path / "collections", gpu).create("large", "images", 16, "model") as collection:
        collection.add([record(number) for number in range(COUNT)], clustered(COUNT))
        exact = [[hit.record.id for hit in hits] for hits in collection.search(clustered(5, seed=3), 10)]
        collection.build("FP16", 0.9)
        assert isinstance(searcher(collection), OnGpu)
        assert [[hit.record.id for hit in hits] for hits in collection.search(clustered(5, seed=3), 10)] == exact
        collection.build("HNSW", 0.9)
        assert isinstance(searcher(collection), Approximate)


def test_there_is_none_where_faiss_or_the_machine_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    assert Gpu.find() is None
