"""Filters as Milvus has them: expressions that are true of every record that the filter is true of.

They may be true of more. Milvus knows no missing values that `not` and `ne` could be true of, its numbers end at 64
bits, and servers differ in what they make of a text's escapes: what is not surely the same is left to
`index.filters.matches`, which has the last word on every record that is found.
"""

from __future__ import annotations

from collections.abc import Sequence

from index.filters import And, Compare, Contains, Field, Filter, In, Or, Order, Scalar, kind_of
from index.milvus.keys import key_of, quoted

NOTHING = 'key == ""'
MOST_EQUAL = 128
"""Values of one `in` on metadata: each becomes a condition of its own, since not every Milvus has lists for JSON."""
_EXACT = 2**53
_OPERATORS: dict[Order, str] = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_WILDCARDS = frozenset("%_\\")


def expression(filter: Filter) -> str | None:
    """An expression that is true at least where the filter is; None for one that would be true of everything."""
    match filter:
        case And(parts):
            known = [text for part in parts if (text := expression(part)) is not None]
            return " and ".join(f"({text})" for text in known) or None
        case Or(parts):
            return _any([expression(part) for part in parts])
        case In(field, values):
            return _in(field, values)
        case Compare(field, order, value):
            path, literal = _path(field), _literal(field, value)
            return None if path is None or literal is None else f"{path} {_OPERATORS[order]} {literal}"
        case Contains(field, value):
            return _contains(field, value)
        case _:
            return None


def _any(parts: Sequence[str | None]) -> str | None:
    known = [text for text in parts if text is not None]
    if len(known) < len(parts):
        return None
    return " or ".join(f"({text})" for text in known) or NOTHING


def _in(field: Field, values: Sequence[Scalar]) -> str | None:
    path = _path(field)
    literals = [text for value in values if (text := _literal(field, value)) is not None]
    if path is None or len(literals) < len(values):
        return None
    if field.column != "metadata":
        return f"{path} in [{', '.join(literals)}]" if literals else NOTHING
    return _any([f"{path} == {text}" for text in literals]) if len(literals) <= MOST_EQUAL else None


def _contains(field: Field, value: Scalar) -> str | None:
    path = _path(field)
    if path is None or not isinstance(value, str) or _WILDCARDS & set(value):
        return None
    if field.column == "id":
        return f'{path} like "%{key_of(value)}%"'
    if (literal := _text(value)) is None:
        return None
    within = f'{path} like "%{literal[1:-1]}%"'
    return within if field.column != "metadata" else f"({within}) or json_contains({path}, {literal})"


def _path(field: Field) -> str | None:
    if field.column == "id":
        return "key"
    # Servers differ in how they read quoting within a key.
    if not all(key.replace("_", "").replace("-", "").isalnum() for key in field.keys):
        return None
    return field.column + "".join(f'["{key}"]' for key in field.keys)


def _literal(field: Field, value: Scalar) -> str | None:
    kind = kind_of(value)
    if field.column != "metadata" and kind != "text":
        return None
    match kind:
        case "text":
            return quoted(key_of(str(value))) if field.column == "id" else _text(str(value))
        case "boolean":
            return "true" if value else "false"
        case "number":
            return _number(value)
        case _:
            return None


def _number(value: Scalar) -> str | None:
    if not isinstance(value, int | float) or abs(value) >= _EXACT:
        return None
    text = repr(int(value) if value == int(value) else value)
    return None if "e" in text else text


def _text(value: str) -> str | None:
    if not value.isprintable():
        return None
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
