"""Words that were heard bring forward the records that have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query.heard import MOST_CHARACTERS, MOST_RANKED, NOTHING, Heard, heard, heard_in
from app.schemas import Slot, SlotWord
from index.ranking import Hit
from index.records import Record

DOG = Record("1", caption="Hot  Dog", metadata={"keywords": ["street food", "Wurst", 7]})
CAT = Record("2", caption="a cat", metadata={"keywords": "kitten"})
MAT = Record("4", caption="A dog, asleep (on the cat's mat)!")
TEA = Record("5", caption="“fine” \u00e9clair—tea/time")
SEA = Record("3", metadata={"keywords": None, "dog": "dog"})


def hits(*records: Record) -> list[Hit]:
    """Each a tenth less near than the one before."""
    return [Hit(record, 0.9 - 0.1 * place) for place, record in enumerate(records)]


def order(found: list[Hit]) -> list[str]:
    return [hit.record.id for hit in found]


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
    found = heard(1.0, [(0, word, 1.0)]).ranked(hits(DOG, CAT, SEA, MAT, TEA))

    assert sorted(hit.record.id for hit in found if hit.score > 1) == ids


def test_who_has_the_word_comes_first_by_as_much_as_it_is_near() -> None:
    found = heard(0.5, [(0, "DOG", 0.6)]).ranked(hits(SEA, CAT, DOG))

    assert order(found) == ["1", "3", "2"]
    assert [hit.score for hit in found] == pytest.approx([0.7 + 0.5 * 0.6, 0.9, 0.8])


def test_of_each_slot_the_nearest_word_counts_and_all_slots_alike() -> None:
    two = heard(1.0, [(0, "hot dog", 0.5), (0, "wurst", 0.6), (4, "cat", 0.4), (4, "dog", 0.2)])
    found = two.ranked(hits(SEA, CAT, DOG))

    assert {hit.record.id: hit.score for hit in found} == pytest.approx(
        {"3": 0.9, "2": 0.8 + 0.4 / 2, "1": 0.7 + (0.6 + 0.2) / 2}
    )


def test_a_word_that_is_against_it_takes_nothing_away() -> None:
    assert heard(1.0, [(0, "dog", -0.5)]).ranked(hits(DOG, SEA)) == hits(DOG, SEA)


def test_nothing_heard_is_nothing() -> None:
    assert not NOTHING
    assert not heard(0.0, [(0, "dog", 0.5)])
    assert not heard(0.5, [])
    assert heard(0.5, [(0, "dog", 0.5)])


def test_those_far_away_stay_where_they_are() -> None:
    many = hits(*(Record(f"{n:04}", caption="dog" if n == MOST_RANKED + 1 else None) for n in range(MOST_RANKED + 5)))

    assert heard(1.0, [(0, "dog", 1.0)]).ranked(many) == many


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["dog", "cat", "hot dog"]), st.floats(-1, 1))))
def test_no_record_is_lost_and_none_gets_more_than_the_weight(words: list[tuple[int, str, float]]) -> None:
    before = {hit.record.id: hit.score for hit in hits(DOG, CAT, SEA)}
    found = Heard(0.3, heard(0.3, words).slots or [{}]).ranked(hits(DOG, CAT, SEA))

    assert sorted(order(found)) == ["1", "2", "3"]
    assert all(-1e-9 <= hit.score - before[hit.record.id] <= 0.3 + 1e-9 for hit in found)
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_a_slot_that_heard_what_the_vocabulary_lacks_brings_nothing_forward() -> None:
    words = [SlotWord(word="dog", score=0.5)]
    slots = [Slot(slot=n, start=0, end=1, known=n > 0, subwords=[], words=words) for n in range(2)]

    assert not heard_in(1.0, slots[:1])
    assert heard_in(1.0, slots) == heard(1.0, [(1, "dog", 0.5)])


def test_of_a_record_like_a_book_the_beginning_is_read() -> None:
    book = Record("1", caption="dog " + "x" * MOST_CHARACTERS, metadata={"keywords": ["cat"]})

    assert heard(1.0, [(0, "dog", 1.0)]).ranked(hits(book))[0].score == pytest.approx(1.9)
    assert heard(1.0, [(0, "cat", 1.0)]).ranked(hits(book))[0].score == pytest.approx(0.9)
