"""How a filter is read from JSON, and how a fault in one is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from index.errors import InvalidFilter
from index.filters import And, Compare, Exists, Field, In, Not, Or, matches
from index.filters.language import MAX_DEPTH, MAX_PARTS, MAX_TEXT, MAX_VALUES, parse, parse_field
from index.records import Record


def test_what_was_read() -> None:
    price = Field("metadata", ("price",))

    assert parse({"metadata.price": {"gte": 1}}) == Compare(price, "gte", 1)
    assert parse({"metadata.price": {"ne": 1}}) == Not(In(price, (1,)))
    assert parse({"or": [{"id": {"eq": "a"}}, {"uri": {"exists": False}}]}) == Or(
        (In(Field("id"), ("a",)), Not(Exists(Field("uri"))))
    )
    assert parse({"metadata.price": {"gt": 1, "lt": 2}, "not": {}}) == And(
        (And((Compare(price, "gt", 1), Compare(price, "lt", 2))), Not(And(())))
    )


FAULTS: list[tuple[Any, str, str]] = [
    (None, "", "is null, not an object"),
    ("red", "", "is a text, not an object"),
    ([], "", "is a list, not an object"),
    ({"colour": {"eq": "red"}}, "/colour", "is no field; there are id, uri, caption and metadata.KEY"),
    ({"metadata": {"eq": "red"}}, "/metadata", "is no field"),
    ({"metadata.": {"eq": "red"}}, "/metadata.", "empty key"),
    ({"metadata.a..b": {"eq": "red"}}, "/metadata.a..b", "empty key"),
    ({"caption.x": {"eq": "red"}}, "/caption.x", "is no field"),
    ({"$and": []}, "/$and", "is no field"),
    ({"metadata.a": "red"}, "/metadata.a", 'is a text, not an object with conditions, such as {"eq": "red"}'),
    ({"metadata.a": {}}, "/metadata.a", "is an empty object, not an object with conditions"),
    ({"metadata.a": {"like": "red"}}, "/metadata.a/like", "is no condition; there are eq, ne, in, lt"),
    ({"metadata.a": {"eq": ["red"]}}, "/metadata.a/eq", "is a list, not a text"),
    ({"metadata.a": {"eq": {}}}, "/metadata.a/eq", "is an empty object, not a text"),
    ({"metadata.a": {"in": "red"}}, "/metadata.a/in", "is a text, not a list"),
    ({"metadata.a": {"in": ["red", ["blue"]]}}, "/metadata.a/in/1", "is a list, not a text"),
    ({"metadata.a": {"lt": None}}, "/metadata.a/lt", "is null, not a number or a text"),
    ({"metadata.a": {"gte": True}}, "/metadata.a/gte", "is a boolean, not a number or a text"),
    ({"metadata.a": {"gte": float("nan")}}, "/metadata.a/gte", "is not a finite number"),
    ({"metadata.a": {"eq": float("inf")}}, "/metadata.a/eq", "is not a finite number"),
    ({"metadata.a": {"eq": 2**1024}}, "/metadata.a/eq", "has 1025 bits; 1024 are the most"),
    ({"metadata.a": {"exists": 1}}, "/metadata.a/exists", "is a number, not true or false"),
    ({"metadata.a": {"contains": ["b"]}}, "/metadata.a/contains", "is a list, not a text"),
    ({"metadata.a": {"eq": "\ud800"}}, "/metadata.a/eq", "is not valid Unicode"),
    ({"metadata.\udfff": {"eq": 1}}, "/metadata.\udfff", "is not valid Unicode"),
    ({"id": {"eq": 5}}, "/id/eq", "is a number, but id is always a text"),
    ({"caption": {"in": ["a", False]}}, "/caption/in/1", "is a boolean, but caption is always a text"),
    ({"and": {"id": {"eq": "a"}}}, "/and", "is an object, not a list of filters"),
    ({"or": [{"id": {"eq": "a"}}, 5]}, "/or/1", "is a number, not an object"),
    ({"not": [{"id": {"eq": "a"}}]}, "/not", "is a list, not an object"),
    ({"and": [{"or": [{"not": {"metadata.a/b~c": {"eq": []}}}]}]}, "/and/0/or/0/not/metadata.a~1b~0c/eq", "is a list"),
    ({"id": {"eq": "x" * (MAX_TEXT + 1)}}, "/id/eq", f"has {MAX_TEXT + 1} characters; {MAX_TEXT} are the most"),
    ({"metadata." + ".".join("a" * 65): {"eq": 1}}, "/metadata." + ("a." * 36)[:71], "more than 64"),
]


@pytest.mark.parametrize(("filter", "pointer", "words"), FAULTS)
def test_a_fault_is_pointed_at(filter: Any, pointer: str, words: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse(filter)

    assert caught.value.pointer == pointer
    assert str(caught.value).startswith(pointer or "the filter ")
    assert words in str(caught.value)


def nested(depth: int) -> JsonValue:
    filter: JsonValue = {"id": {"eq": "a"}}
    for _ in range(depth):
        filter = {"not": filter}
    return filter


def test_a_filter_has_a_largest_size() -> None:
    conditions: list[JsonValue] = [{"id": {"eq": "a"}}] * (MAX_PARTS // 2 - 1)
    nothing: list[JsonValue] = [{}] * (MAX_PARTS - 1)
    values: list[JsonValue] = list(range(MAX_VALUES - 1))
    largest: list[JsonValue] = [
        nested(MAX_DEPTH),
        {"or": conditions},
        {"or": nothing},
        {"metadata.a": {"in": values}, "metadata.b": {"in": [1]}},
    ]
    too_large: list[JsonValue] = [
        nested(MAX_DEPTH + 1),
        nested(100_000),
        {"or": [*conditions, {"uri": {"exists": True}}]},
        {"or": [*nothing, {}]},
        {"metadata.a": {"in": values}, "metadata.b": {"in": [1, 2]}},
    ]
    for filter in largest:
        parse(filter)
    for filter in too_large:
        with pytest.raises(InvalidFilter, match=r"deeper than|too many|the most"):
            parse(filter)


@pytest.mark.parametrize("text", ["", "price", "metadata", "metadata.", "and", "x" * 5000])
def test_a_name_that_is_no_field(text: str) -> None:
    with pytest.raises(InvalidFilter):
        parse_field(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["and", "or", "not", "eq", "in", "lt", "exists", "contains", "id", "metadata.a", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(value=JSON)
def test_whatever_json_is_read_or_refused(value: JsonValue) -> None:
    try:
        filter = parse(value)
    except InvalidFilter:
        return
    assert matches(filter, Record("a", metadata={"a": 1})) in (True, False)
