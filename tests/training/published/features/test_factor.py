"""What features bring."""

from __future__ import annotations

from pathlib import Path

from tests.training.published.tiny_training import fresh, recipe, tiny_start, write_corpus
from training.published.data import Splits
from training.published.features.factor import Factor, measure
from training.published.module import InTraining


def test_both_ways_are_measured_over_the_same_pairs(tmp_path: Path) -> None:
    corpus, start = write_corpus(tmp_path / "corpus"), tiny_start(tmp_path / "start")
    told = recipe(start.path, semantics="independent", features="bfloat16", data__most_samples=20_000)
    module = InTraining(fresh(start, "parallel", semantics="independent")[0], told)
    found = measure(module, Splits.open("manifest", corpus, told), told, tmp_path / "features", turns=5)

    assert 0 < found.features < found.files
    assert all(parameter.grad is None for parameter in module.parameters())
    assert [path.name for path in (tmp_path / "features").glob("speech-bfloat16-*.data")]


def test_it_is_told_in_a_line() -> None:
    told = "2.00 steps a second from files, 10.00 from features: 5.0 times as many"

    assert str(Factor(0.5, 0.1)) == told
