"""Which recipe is recommended, and that the numbers behind it add up."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.large import plan as plan_module
from index.large.plan import in_gib, memory_here, plan
from index.large.recipes import RECIPES, RecipeName

GIB = 2**30


@pytest.mark.parametrize(
    ("count", "memory", "recipe"),
    [
        (1, GIB, "Flat"),
        (20_000, GIB, "Flat"),
        (100_000, GIB, "HNSW-SQ8"),
        (1_000_000, 8 * GIB, "IVF-SQ8"),
        (10_000_000, 8 * GIB, "IVF-SQ8"),
        (10_000_000, 2 * GIB, "IVF-PQ"),
        (10_000_000, GIB // 2, None),
        (1_000_000_000, 64 * GIB, None),
    ],
)
def test_the_recommended_recipe(count: int, memory: int, recipe: RecipeName | None) -> None:
    assert plan(count, 512, memory, cores=1).recipe == recipe


@pytest.mark.parametrize(("count", "recipe"), [(20_000, "Flat"), (10_000_000, "FP16"), (40_000_000, "IVF-SQ8")])
def test_a_gpu_compares_every_vector_as_long_as_it_holds_them(count: int, recipe: RecipeName) -> None:
    advice = plan(count, 512, 256 * GIB, cores=1, gpu=True)
    assert advice.recipe == recipe
    assert {option.recipe for option in advice.options} == set(RECIPES)


def test_the_recommended_one_fits_and_says_why() -> None:
    advice = plan(10_000_000, 512, 8 * GIB, cores=2)
    chosen = {option.recipe: option for option in advice.options}["IVF-SQ8"]
    assert chosen.memory <= 8 * GIB
    assert chosen.verdict.startswith("chosen: ")


def test_every_recipe_has_its_reason() -> None:
    advice = plan(10_000_000, 512, 8 * GIB, cores=2)
    assert {option.recipe for option in advice.options} == set(RECIPES)
    verdicts = {option.recipe: option.verdict for option in advice.options}
    assert "needs 19.07 GiB of memory, more than 8.00 GiB" in verdicts["Flat"]
    assert all(verdicts.values())
    assert sum(verdict.startswith("chosen") for verdict in verdicts.values()) == 1


def test_codes_need_vectors_to_learn_from() -> None:
    verdicts = {option.recipe: option.verdict for option in plan(10, 512, GIB, cores=1).options}
    assert verdicts["IVF-PQ"] == "needs 16 vectors or more"


def test_more_cores_build_sooner() -> None:
    one, two = (plan(1_000_000, 512, 8 * GIB, cores=cores) for cores in (1, 2))
    assert all(slow.build_s >= fast.build_s for slow, fast in zip(one.options, two.options, strict=True))


def test_memory_here_heeds_the_limit_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit, unlimited = tmp_path / "memory.max", tmp_path / "other"
    limit.write_text("1000000\n")
    unlimited.write_text("max\n")
    monkeypatch.setattr(plan_module, "_CGROUP_LIMITS", (tmp_path / "missing", unlimited))
    assert memory_here() > 1_000_000
    monkeypatch.setattr(plan_module, "_CGROUP_LIMITS", (limit,))
    assert memory_here() == 500_000


def test_sizes_for_people() -> None:
    assert in_gib(8 * GIB) == "8.00 GiB"
    assert in_gib(1907 * GIB) == "1,907.00 GiB"
