"""Records as rows of Milvus: their fields, what they may hold, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import JsonValue

from index.errors import CollectionDamaged, InvalidRecord
from index.milvus.keys import id_of, key_of
from index.records import Record, Vectors, metadata_text

FIELDS = ["key", "uri", "caption", "metadata"]
MOST_BYTES = 65_535
"""Of a text, and of the metadata as JSON; Milvus' own limit."""
MOST_BYTES_OF_A_BATCH = 32 * 1024 * 1024
"""So that it is one request, which is stored wholly or not at all; servers take 64 MiB."""

_INTEGERS = range(-(2**63), 2**63)


def check_fits(records: Sequence[Record], dim: int) -> None:
    """Raise `InvalidRecord` for what Milvus has no room for."""
    size = 0
    for record in records:
        size += dim * 4 + _check_record(record)
    if size > MOST_BYTES_OF_A_BATCH:
        raise InvalidRecord(
            f"the batch has {size} bytes, and {MOST_BYTES_OF_A_BATCH} are the most that Milvus stores as one: "
            "send it in parts"
        )


def row_of(record: Record, vector: Sequence[float], field: str) -> dict[str, Any]:
    return {
        "key": key_of(record.id),
        "uri": record.uri,
        "caption": record.caption,
        "metadata": dict(record.metadata),
        field: vector,
    }


def record_of(row: Mapping[str, Any]) -> Record:
    """Raises `CollectionDamaged` for a row that was not written here."""
    try:
        return Record(id_of(row["key"]), row["uri"], row["caption"], row["metadata"])
    except (ValueError, KeyError, TypeError) as error:
        raise CollectionDamaged(f"a row of the collection was not written by this program: {error}") from error


def vector_of(row: Mapping[str, Any], field: str) -> Vectors:
    return np.asarray(row[field], np.float32)


def _check_record(record: Record) -> int:
    parts = {"uri": record.uri or "", "caption": record.caption or "", "metadata": metadata_text(record)}
    sizes = {name: len(text.encode()) for name, text in parts.items()}
    for name, size in sizes.items():
        if size > MOST_BYTES:
            raise InvalidRecord(f"the {name} of {record.id!r} has {size} bytes; Milvus takes {MOST_BYTES}")
    if not _has_small_integers(dict(record.metadata)):
        raise InvalidRecord(f"the metadata of {record.id!r} has a whole number of more than the 64 bits of Milvus")
    return sum(sizes.values()) + len(key_of(record.id))


def _has_small_integers(value: JsonValue) -> bool:
    match value:
        case bool():
            return True
        case int():
            return value in _INTEGERS
        case dict():
            return all(map(_has_small_integers, value.values()))
        case list():
            return all(map(_has_small_integers, value))
        case _:
            return True
