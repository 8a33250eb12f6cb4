"""The JSON language of filters, read.

A filter is an object. Its members are conditions on fields, or `and`, `or` (lists of filters) and `not` (a filter); all
of them hold together:

    {"metadata.price": {"gte": 10, "lt": 20}, "or": [{"caption": {"contains": "dog"}}, {"uri": {"exists": false}}]}

A field is `id`, `uri`, `caption` or `metadata.` with the key; a dot leads into an object, `\\.` is a dot in a key and
`\\\\` a backslash. `ne` is `not` of `eq`, and so true of a record that does not have the field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, cast

from pydantic import JsonValue

from index.errors import InvalidFilter
from index.filters import (
    ORDERS,
    And,
    Column,
    Compare,
    Contains,
    Exists,
    Field,
    Filter,
    In,
    Not,
    Or,
    Scalar,
    kind_of,
)
from index.records import MAX_METADATA_DEPTH

MAX_DEPTH = 10
"""Of `and`, `or` and `not` in one another."""
MAX_PARTS = 128
"""Conditions and filters together."""
MAX_VALUES = 1000
"""In all lists of `in` together."""
MAX_TEXT = 4096
"""Characters of a value, and of a field."""
MAX_BITS = 1024
"""Of an integer, as large as the largest floating-point number."""

_COLUMNS: Final = ("id", "uri", "caption")
_OPERATORS: Final = ("eq", "ne", "in", *ORDERS, "exists", "contains")


def parse(value: JsonValue) -> Filter:
    """Read a filter from JSON. Raises `InvalidFilter`, which says where the fault is."""
    return _Reader().filter(value, (), 0)


def parse_field(text: str) -> Field:
    """Read the name of a field. Raises `InvalidFilter`."""
    return _field(text, ())


class _Reader:
    """Reads one filter, and counts what is in it."""

    def __init__(self) -> None:
        self._parts = 0
        self._values = 0

    def filter(self, value: JsonValue, at: tuple[str | int, ...], depth: int) -> Filter:
        if not isinstance(value, dict):
            raise InvalidFilter(f"is {_told(value)}, not an object with fields, and, or, not", at)
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"is nested deeper than {MAX_DEPTH}", at)
        self._count(at)
        return _all_of([self._member(name, inner, (*at, name), depth + 1) for name, inner in value.items()])

    def _member(self, name: str, value: JsonValue, at: tuple[str | int, ...], depth: int) -> Filter:
        match name:
            case "and":
                return And(self._filters(value, at, depth))
            case "or":
                return Or(self._filters(value, at, depth))
            case "not":
                return Not(self.filter(value, at, depth))
            case _:
                return self._conditions_on(_field(name, at), value, at)

    def _filters(self, value: JsonValue, at: tuple[str | int, ...], depth: int) -> tuple[Filter, ...]:
        if not isinstance(value, list):
            raise InvalidFilter(f"is {_told(value)}, not a list of filters", at)
        return tuple(self.filter(part, (*at, place), depth) for place, part in enumerate(value))

    def _conditions_on(self, field: Field, value: JsonValue, at: tuple[str | int, ...]) -> Filter:
        if not isinstance(value, dict) or not value:
            raise InvalidFilter(f'is {_told(value)}, not an object with conditions, such as {{"eq": "red"}}', at)
        return _all_of([self._condition(field, name, operand, (*at, name)) for name, operand in value.items()])

    def _condition(self, field: Field, name: str, operand: JsonValue, at: tuple[str | int, ...]) -> Filter:
        self._count(at)
        match name:
            case "eq":
                return In(field, (_scalar(field, operand, at),))
            case "ne":
                return Not(In(field, (_scalar(field, operand, at),)))
            case "in":
                return In(field, self._list(field, operand, at))
            case "lt" | "lte" | "gt" | "gte":
                return Compare(field, name, _ordered(field, operand, at))
            case "exists":
                return _exists(field, operand, at)
            case "contains":
                return Contains(field, _scalar(field, operand, at))
            case _:
                raise InvalidFilter(f"is no condition; there are {', '.join(_OPERATORS)}", at)

    def _count(self, at: tuple[str | int, ...]) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidFilter(
                f"is one too many: a filter has at most {MAX_PARTS} conditions and filters within it", at
            )

    def _list(self, field: Field, operand: JsonValue, at: tuple[str | int, ...]) -> tuple[Scalar, ...]:
        if not isinstance(operand, list):
            raise InvalidFilter(f"is {_told(operand)}, not a list of values", at)
        self._values += len(operand)
        if self._values > MAX_VALUES:
            raise InvalidFilter(f"makes {self._values} values in lists; {MAX_VALUES} are the most in a filter", at)
        return tuple(_scalar(field, value, (*at, place)) for place, value in enumerate(operand))


def _all_of(parts: Sequence[Filter]) -> Filter:
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _exists(field: Field, operand: JsonValue, at: tuple[str | int, ...]) -> Filter:
    if not isinstance(operand, bool):
        raise InvalidFilter(f"is {_told(operand)}, not true or false", at)
    return Exists(field) if operand else Not(Exists(field))


def _field(name: str, at: tuple[str | int, ...]) -> Field:
    _check_text(name, at)
    first, *keys = [re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL) for part in _parts(name)]
    if first in _COLUMNS and not keys:
        return Field(cast(Column, first))
    if first != "metadata" or not keys:
        raise InvalidFilter(f"is no field; there are {', '.join(_COLUMNS)} and metadata.KEY", at)
    if "" in keys or len(keys) > MAX_METADATA_DEPTH:
        raise InvalidFilter(f"has an empty key, or more than {MAX_METADATA_DEPTH}: \\. is a dot within a key", at)
    return Field("metadata", tuple(keys))


def _parts(name: str) -> list[str]:
    """Cut at the dots that no backslash stands before."""
    parts = [""]
    for piece in re.findall(r"\\.|.|\\", name, flags=re.DOTALL):
        if piece == ".":
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _scalar(field: Field, value: JsonValue, at: tuple[str | int, ...]) -> Scalar:
    if isinstance(value, dict | list):
        raise InvalidFilter(f"is {_told(value)}, not a text, a number, a boolean or null", at)
    if isinstance(value, str):
        _check_text(value, at)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidFilter("is not a finite number", at)
    elif isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise InvalidFilter(f"has {value.bit_length()} bits; {MAX_BITS} are the most", at)
    if field.column != "metadata" and kind_of(value) not in ("text", "null"):
        raise InvalidFilter(f"is {_told(value)}, but {field.column} is always a text", at)
    return value


def _ordered(field: Field, value: JsonValue, at: tuple[str | int, ...]) -> str | int | float:
    if value is None or isinstance(value, bool | dict | list):
        raise InvalidFilter(f"is {_told(value)}, not a number or a text, which have an order", at)
    return cast("str | int | float", _scalar(field, value, at))


def _check_text(text: str, at: tuple[str | int, ...]) -> None:
    if len(text) > MAX_TEXT:
        raise InvalidFilter(f"has {len(text)} characters; {MAX_TEXT} are the most", at)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidFilter(f"is not valid Unicode: {error.reason}", at) from None


def _told(value: JsonValue) -> str:
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    kind = kind_of(value) or "list"
    return kind if kind == "null" else f"a {kind}"
