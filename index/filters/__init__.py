"""Filters: conditions about records. What one means is `matches`; `index.filters.language` reads them from JSON.

Every condition is either true or false of every record: one about a field that the record does not have, or whose value
is of another type, is false, and `Not` of it true.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, cast

from pydantic import JsonValue

from index.records import Record

Scalar: TypeAlias = str | int | float | bool | None
Column: TypeAlias = Literal["id", "uri", "caption", "metadata"]
Order: TypeAlias = Literal["lt", "lte", "gt", "gte"]

ORDERS: Final[Mapping[Order, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_MISSING: Final = object()


@dataclass(frozen=True)
class Field:
    """Where a value is: a column of a record, or the keys that lead to it in the metadata, which has at least one."""

    column: Column
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class In:
    """The value is one of these, of the same type; numbers are of one type, booleans are no numbers."""

    field: Field
    values: tuple[Scalar, ...]

    def has(self, value: object) -> bool:
        kind = kind_of(value)
        return kind is not None and (kind, value) in self._known

    @cached_property
    def _known(self) -> frozenset[tuple[str | None, Scalar]]:
        """With their types: True and 1 are equal."""
        return frozenset((kind_of(value), value) for value in self.values)


@dataclass(frozen=True)
class Compare:
    """A number beside a number, or a text beside a text, which is ordered by code points."""

    field: Field
    order: Order
    value: str | int | float


@dataclass(frozen=True)
class Exists:
    """There is a value, and it is not null."""

    field: Field


@dataclass(frozen=True)
class Contains:
    """The value is a text with this text in it, or a list with this value in it."""

    field: Field
    value: Scalar


@dataclass(frozen=True)
class And:
    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Not:
    part: Filter


Filter: TypeAlias = In | Compare | Exists | Contains | And | Or | Not


def matches(filter: Filter, record: Record) -> bool:
    """Whether a filter is true of a record."""
    match filter:
        case And(parts):
            return all(matches(part, record) for part in parts)
        case Or(parts):
            return any(matches(part, record) for part in parts)
        case Not(part):
            return not matches(part, record)
        case In(field):
            return filter.has(_find(record, field))
        case Compare(field, order, operand):
            value = _find(record, field)
            return kind_of(value) == kind_of(operand) and ORDERS[order](value, operand)
        case Exists(field):
            return value_of(record, field) is not None
        case Contains(field, operand):
            return _contains(_find(record, field), operand)


def value_of(record: Record, field: Field) -> JsonValue:
    """The value of a field; None where there is none, as where it is null."""
    value = _find(record, field)
    return None if value is _MISSING else cast(JsonValue, value)


def kind_of(value: object) -> Literal["text", "boolean", "number", "null"] | None:
    """The type of a scalar; None for everything else."""
    match value:
        case str():
            return "text"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case None:
            return "null"
        case _:
            return None


def _find(record: Record, field: Field) -> object:
    if field.column != "metadata":
        return getattr(record, field.column)
    value: object = record.metadata
    for key in field.keys:
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _contains(value: object, operand: Scalar) -> bool:
    if isinstance(value, str):
        return isinstance(operand, str) and operand in value
    kind = kind_of(operand)
    return isinstance(value, list) and any(kind == kind_of(element) and element == operand for element in value)
