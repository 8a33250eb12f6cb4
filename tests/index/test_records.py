from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from index.errors import InvalidRecord, InvalidVector, ModelMismatch
from index.records import Record, check_records, check_vectors, metadata_text

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


def nested(depth: int) -> JsonValue:
    value: JsonValue = 1
    for _ in range(depth):
        value = [value]
    return value


@given(st.dictionaries(text, json_values, max_size=5))
def test_any_json_object_is_metadata_and_reads_back(metadata: dict[str, JsonValue]) -> None:
    assert json.loads(metadata_text(Record("a", metadata=metadata))) == metadata


def test_any_mapping_will_do() -> None:
    assert metadata_text(Record("a", metadata=MappingProxyType({"b": 1}))) == '{"b":1}'


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": float("nan")},
        {"a": [1.0, float("inf")]},
        {"a": {1: 2}},
        {"a": (1, 2)},
        {"a": {1, 2}},
        {"a": b"bytes"},
        {"a": "\ud800"},
        {"a": nested(63)},
        {"a": nested(100_000)},
        {"a": 10**5000},
        [1, 2],
        None,
    ],
    ids=lambda value: f"{value!r:.30}" if not isinstance(value, dict) else None,
)
def test_what_is_no_json_object_is_no_metadata(metadata: Any) -> None:
    with pytest.raises(InvalidRecord, match="metadata of 'a'"):
        check_records([Record("a", metadata=metadata)])


@pytest.mark.parametrize("id", ["a", "x" * 256, "../etc/passwd", "ü/ 中\n", "a\0b", "🐕" * 256])
def test_an_id_is_any_text_of_1_to_256_characters(id: str) -> None:
    check_records([Record(id)])


@pytest.mark.parametrize("id", ["", "x" * 257, "a\ud800", 7, None])
def test_anything_else_is_no_id(id: Any) -> None:
    with pytest.raises(InvalidRecord, match="an id"):
        check_records([Record(id)])


@pytest.mark.parametrize("record", [Record("a", uri="\ud800"), Record("a", caption=3)])  # type: ignore[arg-type]
def test_uri_and_caption_are_text(record: Record) -> None:
    with pytest.raises(InvalidRecord, match=r"the (uri|caption) of 'a'"):
        check_records([record])


def test_an_id_comes_once_in_a_batch() -> None:
    with pytest.raises(InvalidRecord, match="'b' comes twice"):
        check_records([Record("a"), Record("b"), Record("b")])


def test_vectors_become_contiguous_float32() -> None:
    checked = check_vectors(np.eye(4)[:, ::-1], 4)
    assert checked.dtype == np.float32
    assert checked.flags.c_contiguous


def test_unit_length_holds_within_a_thousandth() -> None:
    check_vectors([[1.0009, 0.0], [0.0, -0.9991]], 2)


@pytest.mark.parametrize("length", [0.0, 0.99, 1.01, 1e30, 1e300, float("nan"), float("inf")])
def test_any_other_length_is_refused(length: float) -> None:
    with pytest.raises(InvalidVector, match="vector 1 has length"):
        check_vectors([[0.0, 1.0], [length, 0.0]], 2)


@pytest.mark.parametrize("vectors", [[1.0, 0.0], [[[1.0, 0.0]]], [["a", "b"]], [[1.0], [1.0, 0.0]], None])
def test_what_is_no_batch_of_vectors_is_refused(vectors: Any) -> None:
    with pytest.raises(InvalidVector):
        check_vectors(vectors, 2)


def test_another_dimension_is_another_model() -> None:
    with pytest.raises(ModelMismatch, match="vectors of 4 numbers, these have 3: use the model"):
        check_vectors(np.eye(3), 4)
