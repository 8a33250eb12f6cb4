"""One result per value, against brute force."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from index import grouping
from index.filters import Field, Filter, kind_of, matches, value_of
from index.filters.language import parse
from index.grouping import Grouped, nearest_of_each
from index.ranking import Hit
from index.records import Record

PRODUCT = Field("metadata", ("product",))
VALUES: list[JsonValue] = ["a", "b", "1", 1, 1.0, True, False, 0, 0.5, 2**63, None, [], ["a"], {"a": 1}]


class Shelf:
    """Records by descending score, and how they were searched."""

    def __init__(self, products: Sequence[JsonValue], without: int = 0) -> None:
        records = [Record(f"r{n}", metadata={"n": n, "product": product}) for n, product in enumerate(products)]
        records += [Record(f"w{n}", metadata={"n": n}) for n in range(without)]
        self.hits = [Hit(record, 1 - place / 1e6) for place, record in enumerate(records)]
        self.sizes = list[int]()

    def search(self, k: int, where: Filter | None) -> list[Hit]:
        self.sizes.append(k)
        return [hit for hit in self.hits if where is None or matches(where, hit.record)][:k]


def brute_force(shelf: Shelf, where: Filter | None) -> list[Hit]:
    seen, best = set[object](), list[Hit]()
    for hit in shelf.hits:
        value = value_of(hit.record, PRODUCT)
        kind = kind_of(value)
        key = hit.record.id if kind in (None, "null") else (kind, value)
        if (where is None or matches(where, hit.record)) and key not in seen:
            seen.add(key)
            best.append(hit)
    return best


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    products=st.lists(st.sampled_from(VALUES), max_size=400),
    without=st.integers(0, 3),
    k=st.integers(1, 20),
    where=st.sampled_from([None, parse({"metadata.n": {"gte": 3}}), parse({"metadata.product": {"ne": "a"}})]),
)
def test_the_best_of_each_value(products: list[JsonValue], without: int, k: int, where: Filter | None) -> None:
    shelf = Shelf(products, without)
    assert nearest_of_each(shelf.search, PRODUCT, k, where) == Grouped(brute_force(shelf, where)[:k], True)


def test_one_value_that_fills_every_search_does_not_hide_the_others() -> None:
    shelf = Shelf(["common"] * 20_000 + ["rare", "rarer", "rarest"])

    found, complete = nearest_of_each(shelf.search, PRODUCT, 3)

    assert [hit.record.metadata["product"] for hit in found] == ["common", "rare", "rarer"]
    assert complete
    assert shelf.sizes == [64, 256]


def test_a_search_that_is_enough_is_the_only_one() -> None:
    shelf = Shelf([f"p{n}" for n in range(1000)])
    assert len(nearest_of_each(shelf.search, PRODUCT, 10).hits) == 10
    assert shelf.sizes == [64]


def test_it_is_told_when_the_searches_ran_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MOST_HITS", 100)
    shelf = Shelf([product for product in "abcdefghijklmnopqrstuvwxyz" for _ in range(300)])

    found, complete = nearest_of_each(shelf.search, PRODUCT, 20)

    assert [hit.record.metadata["product"] for hit in found] == list("abcdefghijklmnop")
    assert not complete
    assert len(shelf.sizes) == grouping.MOST_SEARCHES


def test_any_field_can_be_grouped_by() -> None:
    hits = [Hit(Record("a", caption="x"), 0.9), Hit(Record("b", caption="x"), 0.8), Hit(Record("c"), 0.7)]
    assert nearest_of_each(lambda k, where: hits, Field("caption"), 5).hits == [hits[0], hits[2]]
