"""What filters mean."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from index.filters import matches, value_of
from index.filters.language import parse, parse_field
from index.records import Record

SHOE = Record(
    "shoe-1",
    "shoes/1.webp",
    "a red shoe",
    {
        "colour": "red",
        "price": 59.5,
        "stock": 3,
        "sale": True,
        "note": None,
        "tags": ["new", 2024, None, False],
        "maker": {"name": "Ünal", "a.b": "dotted", "c\\d": "slashed"},
    },
)
BARE = Record("bare")


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"metadata.colour": {"eq": "red"}}, True),
        ({"metadata.colour": {"eq": "Red"}}, False),
        ({"metadata.colour": {"ne": "red"}}, False),
        ({"metadata.colour": {"ne": "blue"}}, True),
        ({"metadata.colour": {"in": ["blue", "red"]}}, True),
        ({"metadata.colour": {"in": []}}, False),
        ({"metadata.price": {"gt": 59, "lt": 60}}, True),
        ({"metadata.price": {"gte": 59.5, "lte": 59.5}}, True),
        ({"metadata.price": {"gt": 59.5}}, False),
        ({"metadata.price": {"lt": 59.5}}, False),
        ({"metadata.colour": {"gte": "red", "lt": "ree"}}, True),
        ({"metadata.stock": {"eq": 3.0}}, True),
        ({"metadata.sale": {"eq": True}}, True),
        ({"metadata.note": {"eq": None}}, True),
        ({"metadata.colour": {"contains": "e"}}, True),
        ({"metadata.colour": {"contains": ""}}, True),
        ({"metadata.tags": {"contains": "new"}}, True),
        ({"metadata.tags": {"contains": "ne"}}, False),
        ({"metadata.tags": {"contains": 2024}}, True),
        ({"metadata.tags": {"contains": None}}, True),
        ({"metadata.maker.name": {"eq": "Ünal"}}, True),
        ({"metadata.maker.a\\.b": {"eq": "dotted"}}, True),
        ({"metadata.maker.c\\\\d": {"eq": "slashed"}}, True),
        ({"metadata.maker": {"exists": True}}, True),
        ({"id": {"eq": "shoe-1"}}, True),
        ({"uri": {"contains": "shoes/"}}, True),
        ({"caption": {"contains": "red"}}, True),
        ({"caption": {"in": ["a red shoe", None]}}, True),
        ({"metadata.colour": {"eq": "red"}, "metadata.stock": {"gt": 5}}, False),
        ({"and": [{"metadata.colour": {"eq": "red"}}, {"metadata.stock": {"gt": 2}}]}, True),
        ({"or": [{"metadata.colour": {"eq": "blue"}}, {"metadata.stock": {"gt": 2}}]}, True),
        ({"not": {"metadata.colour": {"eq": "blue"}}}, True),
        ({}, True),
        ({"and": []}, True),
        ({"or": []}, False),
    ],
)
def test_what_a_filter_means(filter: JsonValue, expected: bool) -> None:
    assert matches(parse(filter), SHOE) is expected


@pytest.mark.parametrize("order", ["lt", "lte", "gt", "gte"])
@pytest.mark.parametrize(
    ("field", "operand"),
    [
        *(("colour", 5), ("price", "59"), ("sale", 0), ("note", 0), ("tags", 0), ("maker", "")),
        *(("nothing", 0), ("nothing", ""), ("colour.deeper", ""), ("tags.0", "new")),
    ],
)
def test_values_of_another_type_or_none_have_no_order(field: str, operand: JsonValue, order: str) -> None:
    filter: JsonValue = {f"metadata.{field}": {order: operand}}

    assert not matches(parse(filter), SHOE)
    assert matches(parse({"not": filter}), SHOE)


@pytest.mark.parametrize(
    ("field", "operand"),
    [("stock", "3"), ("sale", 1), ("sale", "true"), ("note", ""), ("note", 0), ("note", False), ("nothing", None)],
)
def test_values_of_different_types_are_never_equal(field: str, operand: JsonValue) -> None:
    assert not matches(parse({f"metadata.{field}": {"eq": operand}}), SHOE)
    assert not matches(parse({f"metadata.{field}": {"in": [operand]}}), SHOE)
    assert matches(parse({f"metadata.{field}": {"ne": operand}}), SHOE)


@pytest.mark.parametrize(
    ("field", "there"),
    [("metadata.colour", True), ("metadata.note", False), ("metadata.nothing", False), ("metadata.nothing.x", False)],
)
def test_what_is_missing_or_null_does_not_exist(field: str, there: bool) -> None:
    assert matches(parse({field: {"exists": True}}), SHOE) is there
    assert matches(parse({field: {"exists": False}}), SHOE) is not there


@pytest.mark.parametrize("column", ["uri", "caption"])
def test_a_uri_or_caption_that_is_not_given_is_null(column: str) -> None:
    assert matches(parse({column: {"eq": None}}), BARE)
    assert not matches(parse({column: {"exists": True}}), BARE)
    assert not matches(parse({column: {"contains": ""}}), BARE)


def test_large_integers_are_compared_to_the_last_digit() -> None:
    record = Record("a", metadata={"n": 2**53 + 1})

    assert matches(parse({"metadata.n": {"gt": float(2**53)}}), record)
    assert not matches(parse({"metadata.n": {"eq": float(2**53)}}), record)


def test_texts_are_ordered_by_code_points() -> None:
    assert matches(parse({"id": {"gt": "\uffff"}}), Record("\U00010000"))


def test_the_value_of_a_field() -> None:
    assert value_of(SHOE, parse_field("metadata.maker.name")) == "Ünal"
    assert value_of(SHOE, parse_field("caption")) == "a red shoe"
    assert value_of(SHOE, parse_field("metadata.nothing")) is None
