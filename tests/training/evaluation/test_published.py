"""The authors' figures, and whether they are of the same data."""

from __future__ import annotations

import pytest

from models.published.registry import load_registry
from training.evaluation.published import published_row

REGISTRY = load_registry()
FLICKR = "speechclip/parallel-large-flickr"


@pytest.mark.parametrize(
    ("kind", "split", "whole", "comparable"),
    [
        ("flickr8k", "dev", True, True),
        ("flickr8k", "val", True, True),
        ("flickr8k", "dev", False, False),
        ("flickr8k", "test", True, False),
        ("spokencoco", "val", True, False),
    ],
)
def test_it_is_comparable_on_all_of_the_validation_split_only(
    kind: str, split: str, whole: bool, comparable: bool
) -> None:
    found = published_row(REGISTRY, FLICKR, kind, split, whole)

    assert found is not None
    assert (found.name, found.at, found.percent, found.comparable) == (FLICKR, 10, 89.0, comparable)


def test_a_model_of_ones_own_has_none() -> None:
    assert published_row(REGISTRY, "nano", "flickr8k", "dev", True) is None
