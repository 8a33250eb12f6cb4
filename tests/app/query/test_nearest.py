"""The page of results: words that were heard, with groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.query.heard import MOST_RANKED, heard
from app.query.nearest import page_of
from app.query.requests import SearchQuery
from index.collection import Collection
from index.filters.language import parse_field
from index.records import Record
from index.store import Store

COUNT = MOST_RANKED + 100
WORDS = heard(1.0, [(0, "dog", 0.5)])


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Each farther from the first axis than the one before; all near ones are of one group, and some have a dog."""
    angles = np.linspace(0, 1, COUNT)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    dogs = (300, COUNT - 50)
    made = Store(tmp_path).create("shop", "images", 2, "f" * 64)
    rows = [
        Record(f"{n:04}", caption="dog" if n in dogs else None, metadata={"group": "near" if n < 290 else n})
        for n in range(COUNT)
    ]
    made.add(rows, vectors)
    return made


def ids(collection: Collection, top_k: int, offset: int = 0) -> list[str]:
    query = SearchQuery.model_construct(top_k=top_k, offset=offset, group_by=parse_field("metadata.group"))
    return [hit.record.id for hit in page_of(collection, np.array([1, 0], np.float32), query, WORDS).hits]


def test_words_choose_once_among_the_nearest_and_groups_follow_in_their_order(collection: Collection) -> None:
    """The dog that is not among the nearest is where it would be without words."""
    found = ids(collection, 5)

    assert found == ["0300", "0000", "0290", "0291", "0292"]
    assert ids(collection, 150)[:5] == found


def test_pages_of_groups_are_pages_of_one_list(collection: Collection) -> None:
    assert ids(collection, 2) + ids(collection, 2, 2) + ids(collection, 6, 4) == ids(collection, 10)
