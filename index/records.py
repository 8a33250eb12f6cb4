"""`Record`, the rules it keeps, and the rules of the vectors that come with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import JsonValue

from index.errors import InvalidRecord, InvalidVector, ModelMismatch

MAX_ID_CHARACTERS = 256
MAX_METADATA_DEPTH = 64
UNIT_TOLERANCE = 1e-3

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Record:
    """One thing that can be found."""

    id: str
    """The caller's own, 1 to 256 characters."""
    uri: str | None = None
    """Where the media is: a path relative to the collection's media root, or a URL."""
    caption: str | None = None
    """The text of a caption or keyword, the name of an image."""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)


def check_records(records: Sequence[Record]) -> None:
    """Raise `InvalidRecord` for the first record that cannot be stored, or an id that comes twice."""
    seen = set[str]()
    for record in records:
        check_id(record.id)
        if record.id in seen:
            raise InvalidRecord(f"id {record.id!r} comes twice in one batch")
        seen.add(record.id)
        for name, text in (("uri", record.uri), ("caption", record.caption)):
            if text is not None:
                _check_text(text, f"the {name} of {record.id!r}")
        metadata_text(record)


def check_id(id: str) -> None:
    """Raise `InvalidRecord` for what cannot be an id."""
    _check_text(id, "an id")
    if not 1 <= len(id) <= MAX_ID_CHARACTERS:
        raise InvalidRecord(f"an id has 1 to {MAX_ID_CHARACTERS} characters, not {len(id)}: {id[:40]!r}")


def _check_text(text: object, what: str) -> None:
    if not isinstance(text, str):
        raise InvalidRecord(f"{what} is text, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRecord(f"{what} is not valid Unicode: {error.reason}") from None


def metadata_text(record: Record) -> str:
    """The metadata as JSON; `InvalidRecord` when it is no JSON object that reads back as it was."""
    problem = f"the metadata of {record.id!r} is not a JSON object with finite numbers"
    try:
        content = dict(record.metadata)
        text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        text.encode()
        same, depth = json.loads(text) == content, _depth(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRecord(f"{problem}: {error}") from error
    if not same:
        raise InvalidRecord(f"{problem}: keys are text, values are text, numbers, booleans, null, lists or objects")
    if depth > MAX_METADATA_DEPTH:
        raise InvalidRecord(f"the metadata of {record.id!r} is nested {depth} deep; {MAX_METADATA_DEPTH} is the most")
    return text


def _depth(value: JsonValue) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, children), default=0)


def check_vectors(vectors: ArrayLike, dim: int) -> Vectors:
    """The vectors as a C-contiguous float32 array (N, dim).

    Raises `ModelMismatch` for another dimension and `InvalidVector` for anything else that is not a batch of finite
    unit vectors. They are never normalised here: a vector of another length was not made by the model.
    """
    try:
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidVector(f"vectors are an array of numbers: {error}") from error
    if array.ndim != 2:
        raise InvalidVector(f"vectors come as an array (N, {dim}), not of shape {array.shape}")
    if array.shape[1] != dim:
        raise ModelMismatch(
            f"the collection holds vectors of {dim} numbers, these have {array.shape[1]}: "
            "use the model that made the collection, or index its items again with this one"
        )
    _check_lengths(array)
    return array


def _check_lengths(array: Vectors) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(array, axis=1)
        wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= UNIT_TOLERANCE))
    if wrong.size:
        first = int(wrong[0])
        raise InvalidVector(
            f"vector {first} has length {float(lengths[first]):.6g}; vectors are finite, of unit length"
        )
