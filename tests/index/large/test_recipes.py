"""What FAISS is asked for, and the bytes that go with it."""

from __future__ import annotations

import faiss
import pytest

from index.large.recipes import RECIPES, RecipeName, lists_for, parts


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("Flat", "Flat"),
        ("FP16", "SQfp16"),
        ("SQ8", "SQ8"),
        ("HNSW", "HNSW32,Flat"),
        ("HNSW-SQ8", "HNSW32,SQ8"),
        ("IVF-Flat", "IVF4096,Flat"),
        ("IVF-SQ8", "IVF4096,SQ8"),
        ("IVF-PQ", "OPQ128_512,IVF4096,PQ128x4fs"),
    ],
)
def test_what_faiss_is_asked_for(name: RecipeName, description: str) -> None:
    assert RECIPES[name].factory(1_000_000, 512) == description


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("dim", [1, 3, 7, 8, 9, 100, 512, 768])
@pytest.mark.parametrize("count", [1, 40, 1000])
def test_faiss_understands_it_for_any_size(name: RecipeName, dim: int, count: int) -> None:
    index = faiss.index_factory(dim, RECIPES[name].factory(count, dim), faiss.METRIC_INNER_PRODUCT)
    assert index.d == dim


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Flat", 2048), ("FP16", 1024), ("SQ8", 512), ("HNSW-SQ8", 776), ("IVF-SQ8", 520), ("IVF-PQ", 72)],
)
def test_bytes_of_a_vector(name: RecipeName, expected: int) -> None:
    assert RECIPES[name].vector_bytes(512) == expected


def test_a_file_has_the_full_vectors_too_unless_it_is_nothing_else() -> None:
    for name, recipe in RECIPES.items():
        full = 0 if name == "Flat" else 1000 * (4 * 512 + 8)
        assert recipe.disk(1000, 512) - recipe.memory(1000, 512) == full


def test_lists_are_some_four_times_the_square_root_and_can_all_be_trained() -> None:
    assert [lists_for(count) for count in (0, 1, 100, 10_000, 1_000_000, 10_000_000)] == [1, 1, 5, 500, 4096, 16384]
    assert all(lists_for(count) * 20 <= max(count, 20) for count in range(0, 20_000, 7))


def test_so_many_centres_are_found_by_a_graph() -> None:
    assert RECIPES["IVF-SQ8"].factory(10_000_000, 512) == "IVF16384_HNSW32,SQ8"


def test_codes_cut_a_vector_into_parts_of_four_or_a_little_more() -> None:
    assert [parts(dim) for dim in (1, 3, 4, 7, 100, 512)] == [1, 1, 1, 1, 25, 128]
