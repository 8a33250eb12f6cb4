"""The page of results: words that were heard, with groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.query.heard import MOST_RANKED, Heard, heard
from app.query.keywords import Vocabulary
from app.query.nearest import MOST_DIVERSE, page_of
from app.query.requests import SearchQuery, filter_of
from index.collection import Collection
from index.filters.language import parse_field
from index.ranking import Hit
from index.records import Record
from index.store import Store

COUNT = MOST_RANKED + 100
WORDS = heard(1.0, [(0, "dog", 0.5)])


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Each farther from the first axis than the one before; all near ones are of one group, and some have a dog."""
    angles = np.linspace(0, 1, COUNT)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    dogs, of_one_group = (MOST_RANKED - 60, COUNT - 50), MOST_RANKED - 70
    made = Store(tmp_path).create("shop", "images", 2, "f" * 64)
    rows = [
        Record(f"{n:04}", caption="dog" if n in dogs else None, metadata={"group": "near" if n < of_one_group else n})
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

    assert found == [f"{n:04}" for n in (MOST_RANKED - 60, 0, *range(MOST_RANKED - 70, MOST_RANKED - 67))]
    assert ids(collection, 150)[:5] == found


def test_pages_of_groups_are_pages_of_one_list(collection: Collection) -> None:
    assert ids(collection, 2) + ids(collection, 2, 2) + ids(collection, 6, 4) == ids(collection, 10)


FAR = np.array([0, 1], np.float32)


def searched(collection: Collection, words: Heard, **asked: Any) -> list[Hit]:
    query = SearchQuery.model_construct(**{"top_k": 5, "offset": 0, **asked})
    return page_of(collection, np.array([1, 0], np.float32), query, words).hits


@pytest.fixture
def toward(collection: Collection) -> Heard:
    """What may be "dog", which CLIP reads as the direction of those that are the farthest."""
    return heard(3.0, [(0, "dog", 1.0)], Vocabulary.of(["dog"], FAR[None], FAR[None]))


def test_what_is_near_to_a_word_is_found_however_far_it_is_from_the_whole(
    collection: Collection, toward: Heard
) -> None:
    """Those with the word in their texts come first, then those that look like it."""
    found = searched(collection, toward)

    assert [hit.record.id for hit in found][:2] == [f"{MOST_RANKED - 60:04}", f"{COUNT - 1:04}"]
    cosines = {id: vector @ [1, 0] for id, (_, vector) in collection.fetch([hit.record.id for hit in found]).items()}
    assert found[1].score == pytest.approx(cosines[f"{COUNT - 1:04}"] + 3 * np.sin(1), abs=1e-5)


def test_each_is_there_once_and_all_are_there(collection: Collection, toward: Heard) -> None:
    pages = [searched(collection, toward, top_k=COUNT, offset=offset) for offset in (0, 7)]
    ids = [hit.record.id for hit in pages[0]]

    assert sorted(ids) == [f"{n:04}" for n in range(COUNT)]
    assert pages[1] == pages[0][7:]


@pytest.mark.parametrize("weight", [0.01, 0.3, 3.0])
def test_pages_are_pages_of_one_list_that_falls(collection: Collection, weight: float) -> None:
    words = heard(weight, [(0, "dog", 1.0)], Vocabulary.of(["dog"], FAR[None], FAR[None]))
    whole = searched(collection, words, top_k=COUNT)
    scores = [hit.score for hit in whole]

    assert scores == sorted(scores, reverse=True)
    for top_k, offset in ((10, 0), (MOST_RANKED, 0), (50, MOST_RANKED - 10), (30, MOST_RANKED + 60)):
        page = searched(collection, words, top_k=top_k, offset=offset)
        expected = [(hit.record.id, hit.score) for hit in whole[offset : offset + top_k]]
        assert [hit.record.id for hit in page] == [id for id, _ in expected]
        assert [hit.score for hit in page] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_a_group_is_its_nearest_record_with_words_too(collection: Collection) -> None:
    """One that is far away and near to a word does not stand for those that are nearer all the same."""
    near_and_far = {MOST_RANKED + 20: "both", COUNT - 1: "both"}
    collection.add(
        [Record(f"{n:04}", metadata={"group": group}) for n, group in near_and_far.items()],
        np.stack([collection.vector(f"{n:04}") for n in near_and_far]),
    )
    words = heard(0.01, [(0, "dog", 1.0)], Vocabulary.of(["dog"], FAR[None], FAR[None]))
    found = searched(collection, words, top_k=120, group_by=parse_field("metadata.group"))

    assert f"{MOST_RANKED + 20:04}" in [hit.record.id for hit in found]
    assert f"{COUNT - 1:04}" not in [hit.record.id for hit in found]


def test_words_choose_what_diversity_spreads(collection: Collection, toward: Heard) -> None:
    found = searched(collection, toward, diversity=0.0, top_k=COUNT)

    assert [hit.record.id for hit in found] == [hit.record.id for hit in searched(collection, toward, top_k=COUNT)]


def test_texts_are_not_looked_at_as_pictures_are(collection: Collection, tmp_path: Path, toward: Heard) -> None:
    """CLIP finds any two texts alike."""
    texts = Store(tmp_path / "texts").create("texts", "captions", 2, "f" * 64)
    texts.add([Record("near"), Record("far")], np.stack([FAR[::-1], FAR]))

    for asked in ({}, {"include": frozenset({"vector"})}, {"diversity": 1e-9}):
        found = searched(texts, toward, **asked)
        assert [(hit.record.id, hit.score) for hit in found] == [("near", 1.0), ("far", 0.0)]


def test_the_least_cosine_is_that_of_the_whole_and_a_filter_holds(collection: Collection, toward: Heard) -> None:
    near = searched(collection, toward, top_k=COUNT, min_score=0.9)
    others = searched(collection, toward, filter=filter_of(f'{{"id": {{"ne": "{COUNT - 1:04}"}}}}'))

    assert {hit.record.id for hit in near} == {f"{n:04}" for n in range(COUNT) if np.cos(n / (COUNT - 1)) >= 0.9}
    assert f"{COUNT - 1:04}" not in [hit.record.id for hit in others]
    assert others[1].record.id == f"{COUNT - 2:04}"


def test_groups_from_far_away_differ_from_each_other_too(collection: Collection) -> None:
    """More hits than come with their vectors."""
    far = [Record(f"far {n:04}", metadata={"group": f"far {n}"}) for n in range(MOST_DIVERSE)]
    angles = np.linspace(1.1, 1.5, len(far))
    collection.add(far, np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))
    query = SearchQuery.model_construct(top_k=3, offset=0, group_by=parse_field("metadata.group"), diversity=1.0)
    found = page_of(collection, np.array([1, 0], np.float32), query).hits

    assert found[0].record.id == "0000"
    assert found[1].score == min(hit.score for hit in found)
