"""What FAISS is told with every search, and which files it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from index.large import approximate
from index.large.approximate import Approximate
from index.manifest import Setting
from index.vectors import faiss


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"IxFI" + bytes(40)])
def test_nonsense_is_not_loaded(file: Path, content: bytes, lists: bool) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError, match="index is not a FAISS index"):
        approximate.load(file, lists)


def test_an_index_of_another_kind_is_not_loaded(file: Path) -> None:
    faiss.write_index(faiss.index_factory(8, "HNSW8", faiss.METRIC_L2), str(file))
    with pytest.raises(ValueError, match="another kind"):
        approximate.load(file, lists=False)


def scattered(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors without any order, which are hard to find."""
    vectors = np.random.default_rng(seed).standard_normal((count, 16))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def built(description: str) -> Any:
    index = faiss.index_factory(16, description, faiss.METRIC_INNER_PRODUCT)
    index.train(scattered(700))
    index.add(scattered(700))
    return index


def test_lists_are_mapped_and_read_ahead_by_nobody(file: Path) -> None:
    faiss.write_index(built("IVF8,SQ8"), str(file))
    index = approximate.load(file, lists=True)  # FAISS frees what lies in it with it
    held = faiss.downcast_InvertedLists(faiss.extract_index_ivf(index).invlists)
    assert isinstance(held, faiss.OnDiskInvertedLists)
    assert held.prefetch_nthread == 0


@pytest.mark.parametrize(
    ("description", "near", "far"),
    [
        ("IVF16,Flat", Setting(nprobe=1), Setting(nprobe=16)),
        ("IVF16_HNSW8,Flat", Setting(nprobe=1), Setting(nprobe=99)),
        ("OPQ4_16,IVF16,PQ4x4fs", Setting(nprobe=1), Setting(nprobe=16)),
        ("HNSW8,Flat", Setting(ef=1), Setting(ef=500)),
    ],
)
def test_how_far_it_looks_is_told_with_the_search_and_left_in_no_index(
    description: str, near: Setting, far: Setting
) -> None:
    index, queries = built(description), scattered(40, seed=1)
    right = [np.argsort(-(scattered(700) @ query))[:10] for query in queries]

    def found(setting: Setting, wider: float = 1.0) -> int:
        searcher = Approximate(index, setting)
        places = [searcher.candidates(query, 10, wider=wider) for query in queries]
        return sum(len(np.intersect1d(one, best)) for one, best in zip(places, right, strict=True))

    first = found(near)
    assert found(far) > first
    assert found(near, wider=20.0) > first
    assert found(near) == first


def test_only_selected_places_are_candidates() -> None:
    searcher = Approximate(built("HNSW8,Flat"), Setting(ef=64))
    chosen = np.arange(700) % 3 == 0
    selector = faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
    for query in scattered(5, seed=1):
        assert chosen[searcher.candidates(query, 20, selector)].all()
    assert (searcher.dim, searcher.count) == (16, 700)


def test_fewer_than_wanted_are_those_that_there_are() -> None:
    searcher = Approximate(built("IVF16,Flat"), Setting(nprobe=1))
    places = searcher.candidates(scattered(1)[0], 700)
    assert 0 < len(places) < 700
    assert places.min() >= 0
