"""Keyword hit rates, counted as the authors do and counting words only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.clip import Tokenizer
from models.config import TextConfig
from tests.training.evaluation.spoken_words import pair
from tests.training.evaluation.test_figures import embedded
from training.evaluation.embedder import NO_SUBWORD
from training.evaluation.keywords import NEIGHBOURS, Gold, Rate, Subwords, hits, keyword_rates

WHOLE = TextConfig()
TOKENS = Tokenizer()
DOG, CAT, HOUSE = (TOKENS.encode(word)[0] for word in ("dog", "cat", "house"))
SPECIAL = (0, TOKENS.sot, TOKENS.eot)

# As in published vocabularies, the padding first, start and end at 2 and 3; far from one another but for some.
IDS = np.array([0, 320, TOKENS.sot, TOKENS.eot, DOG, CAT, HOUSE, *range(1000, 1020)])


def subwords(near: Sequence[tuple[int, int]] = ()) -> Subwords:
    """Sub-words at right angles, but for pairs of ids that are near each other."""
    table = np.eye(len(IDS), dtype=np.float32)
    for one, other in near:
        table[IDS.tolist().index(one)] += 0.5 * table[IDS.tolist().index(other)]
    return Subwords(IDS, table, WHOLE)


def hit(chosen: list[list[int]], texts: list[str], near: Sequence[tuple[int, int]] = ()) -> list[NDArray[np.bool_]]:
    return list(hits(np.array(chosen), texts, subwords(near)))


def test_the_chosen_subword_is_its_own_nearest() -> None:
    _, clean = hit([[DOG, CAT, 1019]], ["a dog runs"])

    # All others are equally far, and of these the first four of the table are neighbours: "a" among them.
    assert clean.tolist() == [[True, True, True]]


def test_five_subwords_are_looked_at() -> None:
    nearer = [(1000 + n, 1010) for n in range(NEIGHBOURS - 1)]

    _, clean = hit([[1010]], ["a dog"], nearer)
    _, with_dog = hit([[1010]], ["a dog"], [*nearer[1:], (DOG, 1010)])

    assert clean.tolist() == [[False]]
    assert with_dog.tolist() == [[True]]


def test_upstreams_faults_make_hits_that_are_no_words() -> None:
    nearer = [(1000 + n, 1010) for n in range(NEIGHBOURS - 2)]

    for special in SPECIAL[1:]:
        published, clean = hit([[1010]], ["dog"], [*nearer, (special, 1010)])
        assert (published.tolist(), clean.tolist()) == ([[True]], [[False]])


def test_what_is_no_slot_is_no_hit() -> None:
    published, clean = hit([[DOG, NO_SUBWORD]], ["dog"])

    assert (published[0, 1], clean[0, 1]) == (False, False)


def test_gold_is_the_caption_alone_or_all_that_stands_in_77_places() -> None:
    gold = Gold(WHOLE)
    said = TOKENS.encode("a dog's house")

    assert gold.clean("A dog's HOUSE") == set(said)
    filler = set(TOKENS.encode("!" * (75 - len(said))))
    assert filler
    assert gold.published("A dog's HOUSE") == {*said, TOKENS.sot, TOKENS.eot, *filler}


def test_a_caption_that_fills_all_places_has_no_filler() -> None:
    assert Gold(WHOLE).published("dog " * 100) == {DOG, TOKENS.sot, TOKENS.eot}
    assert Gold(WHOLE).clean("dog " * 100) == {DOG}


def test_rates_are_of_each_slot_and_of_all() -> None:
    found = embedded(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), [0, 1, 2], text_of=[0, 1, -1])
    pairs = [replace(pair(0, "dog"), text=text) for text in ("dog", "cat", None)]
    far = [(1000 + n, id) for id in (DOG, CAT, HOUSE) for n in range(NEIGHBOURS - 1)]
    chosen = np.array([[DOG, CAT], [HOUSE, NO_SUBWORD], [DOG, DOG]])

    rates = keyword_rates(replace(found, pairs=pairs, subwords=chosen), subwords(far))

    assert rates is not None
    assert [(one.slot, one.utterances, one.clean.percent) for one in rates.slots] == [(0, 2, 50.0), (1, 1, 0.0)]
    assert (rates.overall.slot, rates.overall.utterances) == (None, 3)
    assert rates.overall.clean.percent == pytest.approx(100 / 3)
    assert rates.slots[1].clean == Rate(0.0, 0.0, 0.0)
    assert rates.slots[0].clean.low == 0.0 < rates.slots[0].clean.high == 100.0


def test_no_slots_or_no_texts_no_rates() -> None:
    vectors = np.eye(2, dtype=np.float32)

    assert keyword_rates(embedded(vectors, vectors, [0, 1], text_of=[0, 1]), subwords()) is None
    without_text = replace(embedded(vectors, vectors, [0, 1]), subwords=np.array([[DOG], [DOG]]))
    assert keyword_rates(without_text, subwords()) is None
