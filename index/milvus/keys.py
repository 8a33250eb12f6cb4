"""The primary keys of rows: hexadecimal, so that no id can ever be more than a value in an expression.

The order of keys is that of ids by code points, and the state of a collection has a key before all of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from index.records import MAX_ID_CHARACTERS

STATE = "!"
LONGEST = MAX_ID_CHARACTERS * 4 * 2  # bytes: of UTF-8 a character has four at most, of which each has two digits


def key_of(id: str) -> str:
    return id.encode().hex()


def id_of(key: str) -> str:
    return bytes.fromhex(key).decode()


def is_one_of(keys: Iterable[str]) -> str:
    """The expression that is true of the rows with these keys."""
    return f"key in [{', '.join(quoted(key) for key in keys)}]"


def is_after(key: str) -> str:
    return f"key > {quoted(key)}"


def quoted(key: str) -> str:
    return f'"{key}"'
