"""A row of a table becomes an item, whatever the table is written in."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from app.bulk.items import File, Item, below, file_stamp, stamped
from app.query.requests import MAX_TEXT
from index.manifest import Kind
from index.records import MAX_ID_CHARACTERS, Record

MEDIA: tuple[Kind, ...] = ("images", "audio")
ID, PATH, URI, TEXTS = "id", "path", "uri", ("caption", "text")
SPOKEN_FOR = frozenset({ID, PATH, URI, *TEXTS})
"""The columns that mean something; all others become metadata."""
WEB = ("http://", "https://")


@dataclass(frozen=True)
class Row:
    """One row of the table at `table`. `number`: where in it, from 1; `weight`: bytes of it, nearly."""

    table: Path
    number: int
    values: Mapping[str, JsonValue]
    weight: float

    @property
    def where(self) -> str:
        return f"{self.table.name}:{self.number}"


def item(row: Row, kind: Kind, root: Path | None) -> Item:
    """The row as a record of a kind. Raises `ValueError` with the reason why it cannot be one, or `OSError`."""
    metadata = {name: value for name, value in row.values.items() if name not in SPOKEN_FOR and value is not None}
    if kind in MEDIA:
        return _of_media(row, root or row.table.parent, metadata)
    text = embeddable(_caption(row.values))
    given = _text(row.values, URI) or _text(row.values, PATH)
    uri = given if given is None or given.startswith(WEB) or root is None else below(given, row.table.parent, root)
    return Item(Record(_id(row.values) or text_id(text), uri, text, metadata), None, row.where, row.weight)


def embeddable(text: str | None) -> str:
    """A text without needless spaces. Raises `ValueError` unless a query could be as long."""
    text = " ".join((text or "").split())
    if not text:
        raise ValueError("it has no text")
    if len(text) > MAX_TEXT:
        raise ValueError(f"the text has {len(text)} characters; {MAX_TEXT} are the most")
    return text


def text_id(text: str) -> str:
    """A text is named by itself, or by its digest if it is long."""
    return text if len(text) <= MAX_ID_CHARACTERS else hashlib.sha256(text.encode()).hexdigest()


def _of_media(row: Row, root: Path, metadata: Mapping[str, JsonValue]) -> Item:
    given, uri = _text(row.values, PATH), _text(row.values, URI)
    place = given or uri
    if place is None:
        raise ValueError(f"it has neither {PATH} nor {URI}")
    if place.startswith(WEB):
        raise ValueError("it is on the web: nothing is downloaded here, only files can be indexed")
    name = below(place, row.table.parent, root)
    path = root / name
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{place!r} is no file")
    record = Record(
        _id(row.values) or name,
        uri if uri is not None and uri.startswith(WEB) else name,
        _caption(row.values) or path.stem,
        stamped(metadata, file_stamp(status)),
    )
    return Item(record, File(path), row.where, row.weight)


def _id(values: Mapping[str, JsonValue]) -> str | None:
    id = values.get(ID)
    # Databases number their rows; True is no number here.
    return str(id) if type(id) is int else _text(values, ID)


def _caption(values: Mapping[str, JsonValue]) -> str | None:
    return next((text for name in TEXTS if (text := _text(values, name)) is not None), None)


def _text(values: Mapping[str, JsonValue], name: str) -> str | None:
    """Nothing and the empty text are the same."""
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"its {name} is no text")
    return value or None
