"""Words that were heard bring forward the records that have them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query.heard import MOST_CHARACTERS, MOST_LOOKED_FOR, NOTHING, Heard, heard, heard_in
from app.query.keywords import Vocabulary
from app.schemas import Slot, SlotWord
from index.ranking import Hit
from index.records import Record, Vectors
from tests.processor import within

DOG = Record("1", caption="Hot  Dog", metadata={"keywords": ["street food", "Wurst", 7]})
CAT = Record("2", caption="a cat", metadata={"keywords": "kitten"})
MAT = Record("4", caption="A dog, asleep (on the cat's mat)!")
TEA = Record("5", caption="“fine” \u00e9clair—tea/time")
SEA = Record("3", metadata={"keywords": None, "dog": "dog"})

AXES = np.eye(4, dtype=np.float32)
READ = Vocabulary.of(["dog", "cat", "Hot Dog"], AXES[:3], AXES[:3])
"""Each is read as a direction of its own."""
PICTURES = {"1": AXES[3], "2": AXES[1], "3": np.array([0.6, 0.8, 0, 0], np.float32)}


def hits(*records: Record, vectors: Mapping[str, Vectors] | None = None) -> list[Hit]:
    """Each a tenth less near than the one before."""
    own = vectors or {}
    return [Hit(record, 0.9 - 0.1 * place, own.get(record.id)) for place, record in enumerate(records)]


def scores(found: list[Hit]) -> dict[str, float]:
    return {hit.record.id: hit.score for hit in found}


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        *(("hot dog", ["1"]), ("HOT", ["1"]), ("street", ["1"]), ("food wurst", []), ("7", []), ("og", []), (" ", [])),
        *(("kitten", ["2"]), ("dog", ["1", "4"]), ("cat's", ["4"]), ("asleep on", ["4"]), ("Mat!", ["4"])),
        *(("cat/dog", []), ("ﬁne", ["5"]), ("e\u0301clair", ["5"]), ("tea", ["5"]), ("time", ["5"])),
    ],
)
def test_a_record_has_the_words_of_its_caption_and_its_tags_and_of_nothing_else(word: str, ids: list[str]) -> None:
    """Alone or several that follow each other, whatever the case and the marks."""
    found = heard(1.0, [(0, word, 1.0)]).raised(hits(DOG, CAT, SEA, MAT, TEA))

    assert sorted(hit.record.id for hit in found if hit.score > 1) == ids


def test_who_has_the_word_comes_first_by_as_much_as_it_is_near() -> None:
    found = heard(0.5, [(0, "DOG", 0.6)]).raised(hits(SEA, CAT, DOG))

    assert scores(found) == pytest.approx({"1": 0.7 + 0.5 * 0.6, "3": 0.9, "2": 0.8})


def test_of_each_slot_the_nearest_word_counts_and_all_slots_alike() -> None:
    two = heard(1.0, [(0, "hot dog", 0.5), (0, "wurst", 0.6), (4, "cat", 0.4), (4, "dog", 0.2)])
    found = two.raised(hits(SEA, CAT, DOG))

    assert scores(found) == pytest.approx({"3": 0.9, "2": 0.8 + 0.4 / 2, "1": 0.7 + (0.6 + 0.2) / 2})


def test_a_word_that_is_against_it_takes_nothing_away() -> None:
    assert heard(1.0, [(0, "dog", -0.5)]).raised(hits(DOG, SEA)) == hits(DOG, SEA)


def test_nothing_heard_is_nothing() -> None:
    assert not NOTHING
    assert not heard(0.0, [(0, "dog", 0.5)])
    assert not heard(0.5, [])
    assert heard(0.5, [(0, "dog", 0.5)])


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["dog", "cat", "hot dog"]), st.floats(-1, 1))))
def test_no_record_is_lost_and_none_gets_more_than_the_weight(words: list[tuple[int, str, float]]) -> None:
    before = scores(hits(DOG, CAT, SEA))
    found = Heard(0.3, heard(0.3, words).slots or [{}], {}).raised(hits(DOG, CAT, SEA))

    assert [hit.record for hit in found] == [DOG, CAT, SEA]
    assert all(-1e-9 <= hit.score - before[hit.record.id] <= 0.3 + 1e-9 for hit in found)


def test_a_slot_that_heard_what_the_vocabulary_lacks_brings_nothing_forward() -> None:
    words = [SlotWord(word="dog", score=0.5)]
    slots = [Slot(slot=n, start=0, end=1, known=n > 0, subwords=[], words=words) for n in range(2)]

    assert not heard_in(1.0, slots[:1])
    assert heard_in(1.0, slots) == heard(1.0, [(1, "dog", 0.5)])


def test_of_a_record_like_a_book_the_beginning_is_read() -> None:
    book = Record("1", caption="dog " + "x" * MOST_CHARACTERS, metadata={"keywords": ["cat"]})

    assert heard(1.0, [(0, "dog", 1.0)]).raised(hits(book))[0].score == pytest.approx(1.9)
    assert heard(1.0, [(0, "cat", 1.0)]).raised(hits(book))[0].score == pytest.approx(0.9)


def test_a_picture_without_texts_has_a_word_as_far_as_it_looks_like_it() -> None:
    """CAT is written there, and so has all of it; of two words each is half of what was said."""
    one = heard(0.5, [(0, "dog", 0.9)], READ).raised(hits(SEA, CAT, vectors=PICTURES))
    two = heard(0.5, [(0, "dog", 0.9), (1, "cat", 0.7)], READ).raised(hits(SEA, CAT, vectors=PICTURES))

    assert scores(one) == pytest.approx({"3": 0.9 + 0.5 * 0.9 * 0.6, "2": 0.8})
    assert scores(two) == pytest.approx({"3": 0.9 + 0.5 * (0.9 * 0.6 + 0.7 * 0.8) / 4, "2": 0.8 + 0.5 * 0.7 / 2})


def test_a_word_that_a_slot_may_be_counts_by_how_sure_it_is_and_by_the_picture_together() -> None:
    found = heard(1.0, [(0, "dog", 0.9), (0, "cat", 0.7)], READ).raised(hits(SEA, vectors=PICTURES))

    assert found[0].score == pytest.approx(0.9 + max(0.9 * 0.6, 0.7 * 0.8))


def test_what_has_no_vector_is_compared_by_its_texts_and_what_is_unlike_loses_nothing() -> None:
    unlike = {"1": -AXES[0], "2": AXES[3]}
    found = heard(1.0, [(0, "dog", 0.9), (0, "kitten", 0.5)], READ).raised(hits(MAT, SEA, CAT, DOG, vectors=unlike))

    assert scores(found) == pytest.approx({"4": 0.9 + 0.9, "3": 0.8, "2": 0.7 + 0.5, "1": 0.6 + 0.9})


def test_of_every_slot_the_surest_words_are_looked_for() -> None:
    """One slot that may be many words leaves room for the others."""
    many = {f"word {number}": 0.9 - number / 100 for number in range(MOST_LOOKED_FOR + 4)}
    words = [*((0, word, score) for word, score in many.items()), (0, "unread", 0.99), (1, "cat", 0.2), (1, "dog", 0.1)]
    texts = [*many, "cat", "dog"]
    axes = np.eye(len(texts), dtype=np.float32)
    found = heard(1.0, words, Vocabulary.of(texts, axes, axes)).looked_for

    first = ["cat", "word 0", "dog", "word 1", "word 2", "word 3", "word 4", "word 5"]
    np.testing.assert_array_equal(found, [axes[texts.index(word)] for word in first[:MOST_LOOKED_FOR]])
    assert not len(heard(1.0, words).looked_for)


def test_as_many_words_as_anybody_may_tell_take_no_time() -> None:
    records = hits(*(Record(f"{n}", caption=f"word {n}") for n in range(360)))
    words = heard(1.0, [(number, f"word {number}", 0.5) for number in range(750)])

    assert len(within(2, lambda: words.raised(records))) == 360


def test_a_word_that_differs_in_case_only_has_the_vector_all_the_same() -> None:
    np.testing.assert_array_equal(heard(1.0, [(0, "DOG", 0.5), (0, "hot  dog", 0.4)], READ).looked_for, AXES[[0, 2]])
