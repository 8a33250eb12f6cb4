"""The body of a request that brings items: multipart, the bytes of one file, or JSON with one item or many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from app.errors import InvalidParameter, Malformed, UnsupportedMedia, details_of
from app.http.forms import Part, read_form
from app.keeping.items import MediaItem, NewItem, NewItems, Values
from app.pools import BoundedPool
from app.query.queries import AUDIO_TYPES, FILE_FIELDS, UNNAMED_TYPES, MediaKind, sniff

M = TypeVar("M", bound=BaseModel)

# Of each item, beside the numbers of its vector: reading millions of small values takes seconds.
COMMAS_OF_AN_ITEM = 1_000


@dataclass(frozen=True)
class Limits:
    """What a batch may hold; `dim` is the model's."""

    items: int
    dim: int

    @property
    def commas(self) -> int:
        return self.items * (self.dim + COMMAS_OF_AN_ITEM)


async def read_items(request: Request, limits: Limits, pool: BoundedPool) -> list[NewItem]:
    """The items of a request, whichever way they were sent; at least one.

    Raises `Malformed`, `UnsupportedMedia`, `InvalidParameter` with a pointer to what is wrong, and what the body's
    limits raise.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Compressed bodies are not read; send the items as they are.")
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    given = _options(request.query_params.multi_items(), "the query string")
    if media_type == "application/json" or media_type.endswith("+json"):
        if given:
            raise InvalidParameter(f"{', '.join(sorted(given))}: belongs into the JSON, beside what it is about")
        # Off the event loop: the body may be large.
        return await pool.run(_from_json, await request.body(), limits)
    if media_type == "multipart/form-data":
        return _from_form(await read_form(request, limits.items), given)
    return [_item(_kind_of(media_type), await request.body(), given)]


def _from_json(body: bytes, limits: Limits) -> list[NewItem]:
    if body.count(b",") > limits.commas:
        raise Malformed(f"The body is JSON with more values than {limits.items} items have.")
    try:
        values = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise Malformed("The body is JSON, but no object.")
    many = values.get("items")
    if isinstance(many, list) and len(many) > limits.items:
        raise InvalidParameter(f"items: has {len(many)} items; {limits.items} are the most in one batch")
    return _validated(NewItems, values).items if "items" in values else [_validated(NewItem, values)]


def _from_form(parts: list[Part], given: Values) -> list[NewItem]:
    files = [part for part in parts if part.is_file]
    fields = _options([(part.name, _text(part)) for part in parts if not part.is_file], "the form")
    if not files:
        raise InvalidParameter("The form has no file: send one or more in the fields file, audio and image.")
    if twice := sorted(given.keys() & fields.keys()):
        raise InvalidParameter(f"{', '.join(twice)}: given in the query string and in the form")
    said = given | fields
    if len(files) > 1 and (single := sorted(said.keys() & {"id", "uri", "caption"})):
        raise InvalidParameter(f"{', '.join(single)}: is about one item, and these are {len(files)} files")
    return [_item_of_file(part, said, number if len(files) > 1 else None) for number, part in enumerate(files)]


def _item_of_file(part: Part, said: Values, number: int | None) -> NewItem:
    if part.name not in FILE_FIELDS:
        raise InvalidParameter(f"{part.name[:40]!r}: a file goes in the field file, audio or image.")
    name = PurePosixPath(part.file_name.replace("\\", "/")).stem
    called = {} if "caption" in said or not name else {"caption": name}
    return _item(FILE_FIELDS[part.name], bytes(part.data), said | called, number)


def _item(kind: MediaKind | None, data: bytes, said: Values, number: int | None = None) -> NewItem:
    if not data:
        raise Malformed("The body, or a file in it, is empty.")
    values = _validated(MediaItem, said).model_dump(exclude_none=True)
    if "metadata" in values:
        values["metadata"] = _metadata(values["metadata"])
    where = () if number is None else ("items", str(number))
    return _validated(NewItem, {**values, kind or sniff(data): {"data": data}}, *where)


def _metadata(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidParameter(f"metadata: is not JSON: {error}") from None


def _kind_of(media_type: str) -> MediaKind | None:
    if media_type.startswith("audio/") or media_type in AUDIO_TYPES:
        return "audio"
    if media_type.startswith("image/"):
        return "image"
    if media_type in UNNAMED_TYPES:
        return None
    raise UnsupportedMedia(
        f"A body of type {media_type[:60]} is not read. Send JSON, a multipart form with files, or the bytes of one "
        "with Content-Type: audio/* or image/*."
    )


def _options(items: list[tuple[str, str]], where: str) -> Values:
    values: Values = {}
    for name, value in items:
        if name not in MediaItem.model_fields:
            known = ", ".join(MediaItem.model_fields)
            raise InvalidParameter(f"{name[:40]!r} is not known in {where}; it takes {known}.")
        if name in values:
            raise InvalidParameter(f"{name} is given twice in {where}.")
        values[name] = value
    return values


def _text(part: Part) -> str:
    try:
        return part.data.decode()
    except UnicodeDecodeError:
        raise Malformed(f"The field {part.name[:40]!r} is not UTF-8.") from None


def _validated(shape: type[M], values: Mapping[str, object], *where: str) -> M:
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        found = details_of(error, *where)
        raise InvalidParameter("; ".join(_sentence(one) for one in found[:3]), errors=found) from None


def _sentence(finding: Mapping[str, object]) -> str:
    return f"{finding['field']}: {finding['detail']}" if finding["field"] else str(finding["detail"])
