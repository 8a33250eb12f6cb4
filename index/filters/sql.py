"""Filters as SQL over the columns of the table of records.

SQLite reads JSON nearly as Python does. Where it does not - a text with NUL in it, the last digit of a floating-point
number, a key that is written with escapes - the expression is NULL, and NULL goes through AND, OR and NOT as it should:
a row for which the whole is 1 or 0 is decided, the few others are left to `index.filters.matches`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from index.filters import And, Compare, Contains, Exists, Field, Filter, In, Not, Or, Order, Scalar

Number = int | float

# SQLite's own conversion of decimal numbers may miss by some units in the last place.
_RELATIVE: Final = 1e-12
_ABSOLUTE: Final = 1e-300
_DIGITS: Final = "%.9e"
"""Of what numbers are looked up by: far fewer than SQLite may miss by."""
_SMALL: Final = 1e-280
_LARGE: Final = 1e280
"""Beyond these, digits are not compared: numbers run into 0 and infinity there."""
_SIGNS: Final[dict[Order, str]] = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


class Condition(NamedTuple):
    """An SQL expression over the columns of `records`, and the values of its numbered parameters.

    1 or 0 as the filter is true or false of a row, NULL where SQLite cannot tell.
    """

    sql: str
    parameters: tuple[str | Number, ...]


def condition(filter: Filter) -> Condition:
    """A filter's expression. Whatever a caller gave is in the parameters alone."""
    writer = _Writer()
    sql = writer.filter(filter)
    # SQLite's JSON ends a text at its first NUL, which is always written like this.
    unsure = f"instr(metadata, {writer.bind(chr(92) + 'u0000')})"
    return Condition(f"CASE WHEN {unsure} THEN NULL ELSE {sql} END", tuple(writer.parameters))


@dataclass(frozen=True)
class _Place:
    """SQL for a value, for its type by the name that `json_type` has for it, and for the elements of a list."""

    type: str
    value: str
    elements: str | None


class _Writer:
    def __init__(self) -> None:
        self.parameters = list[str | Number]()

    def bind(self, value: str | Number) -> str:
        self.parameters.append(value)
        return f"?{len(self.parameters)}"

    def filter(self, filter: Filter) -> str:
        match filter:
            case And(parts):
                return f"({' AND '.join(map(self.filter, parts)) or '1'})"
            case Or(parts):
                return f"({' OR '.join(map(self.filter, parts)) or '0'})"
            case Not(part):
                return f"(NOT {self.filter(part)})"
            case _:
                place = self._place(filter.field)
                return "NULL" if place is None else self._leaf(filter, place)

    def _leaf(self, filter: In | Compare | Exists | Contains, place: _Place) -> str:
        match filter:
            case In():
                return self._one_of(place, filter.values)
            case Compare():
                return self._compare(place, filter)
            case Exists():
                return f"coalesce({place.type} <> 'null', 0)"
            case Contains():
                return self._contains(place, filter.value)

    def _place(self, field: Field) -> _Place | None:
        """None for keys that JSON writes with escapes, which SQLite compares as they are written."""
        if field.column != "metadata":
            return _Place(f"iif({field.column} IS NULL, 'null', 'text')", field.column, None)
        if any(character in '"\\' or character < " " for key in field.keys for character in key):
            return None
        path = self.bind("$" + "".join(f'."{key}"' for key in field.keys))
        arguments = f"(metadata, {path})"
        return _Place(f"json_type{arguments}", f"json_extract{arguments}", f"json_each{arguments}")

    def _one_of(self, place: _Place, values: Sequence[Scalar]) -> str:
        texts = [value for value in values if isinstance(value, str)]
        numbers = [value for value in values if isinstance(value, Number) and not isinstance(value, bool)]
        names = {None: "null", True: "true", False: "false"}
        plain = sorted({names[value] for value in values if value is None or isinstance(value, bool)})
        cases = [f"WHEN '{name}' THEN 1" for name in plain]
        if texts:
            cases.append(f"WHEN 'text' THEN {place.value} IN ({', '.join(map(self.bind, texts))})")
        if numbers:
            number = self._is_number(place.value, numbers)
            cases += [f"WHEN '{name}' THEN {number}" for name in ("integer", "real")]
        return f"CASE {place.type} {' '.join(cases)} ELSE 0 END" if cases else "0"

    def _is_number(self, value: str, numbers: Sequence[Number]) -> str:
        exact = ", ".join(self.bind(_bindable(number)) for number in numbers)
        digits = {_DIGITS % border for number in numbers for border in _around(number)}
        rounded = f"printf({self.bind(_DIGITS)}, {value})"
        near = f"{rounded} IN ({', '.join(map(self.bind, sorted(digits)))})"
        if not all(_SMALL < abs(number) < _LARGE for number in numbers):
            near = f"({near} OR abs({value}) NOT BETWEEN {self.bind(_SMALL)} AND {self.bind(_LARGE)})"
        return f"CASE WHEN typeof({value}) = 'integer' THEN {value} IN ({exact}) WHEN {near} THEN NULL ELSE 0 END"

    def _compare(self, place: _Place, compare: Compare) -> str:
        value, sign = place.value, _SIGNS[compare.order]
        if isinstance(compare.value, str):
            return f"CASE {place.type} WHEN 'text' THEN {value} {sign} {self.bind(compare.value)} ELSE 0 END"
        exact = f"{value} {sign} {self.bind(_bindable(compare.value))}"
        below, above = map(self.bind, _around(compare.value))
        near = f"{value} BETWEEN {below} AND {above}"
        wide = f"{value} {sign} {below}"
        number = f"CASE WHEN typeof({value}) = 'integer' THEN {exact} WHEN {near} THEN NULL ELSE {wide} END"
        return f"CASE WHEN {place.type} IN ('integer', 'real') THEN {number} ELSE 0 END"

    def _contains(self, place: _Place, value: Scalar) -> str:
        cases = []
        if isinstance(value, str):
            cases.append(f"WHEN 'text' THEN instr({place.value}, {self.bind(value)}) > 0")
        if place.elements is not None:
            element = self._one_of(_Place("json_each.type", "json_each.value", None), [value])
            # As OR does: 1 if there is a 1, else NULL if there is a NULL.
            any_of = "CASE WHEN max(same) = 1 THEN 1 WHEN count(same) < count(*) THEN NULL ELSE 0 END"
            elements = f"(SELECT {element} AS same FROM {place.elements})"  # noqa: S608
            cases.append(f"WHEN 'array' THEN (SELECT {any_of} FROM {elements})")  # noqa: S608
        return f"CASE {place.type} {' '.join(cases)} ELSE 0 END" if cases else "0"


def _bindable(number: Number) -> Number:
    """What compares with every 64-bit integer as the number does, and fits into one or is no integer."""
    if isinstance(number, float) or -(2**63) <= number < 2**63:
        return number
    return float("inf") if number > 0 else float("-inf")


def _around(number: Number) -> tuple[float, float]:
    """Between these SQLite's idea of a number may lie when it stands for this one."""
    largest = sys.float_info.max
    near = float(max(-largest, min(largest, number)))
    spread = abs(near) * _RELATIVE + _ABSOLUTE
    return near - spread, near + spread
