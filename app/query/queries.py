"""Three ways to send a query - multipart, raw bytes, JSON - and one shape that comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.requests import Request

from app.errors import InvalidParameter, Malformed, UnsupportedMedia, details_of
from app.http.forms import Part, read_form
from app.query.requests import MediaQuery

Q = TypeVar("Q", bound=MediaQuery)
MediaKind = Literal["audio", "image"]

FILE_FIELDS: Mapping[str, MediaKind | None] = {"file": None, "audio": "audio", "image": "image"}
# Recorders in browsers call their sound by the name of the container, and that is a film's.
AUDIO_TYPES = frozenset({"video/webm", "video/mp4", "application/ogg"})
# Of a vector, a text and all the rest together. Every value of JSON but the first comes after one.
MAX_COMMAS = 20_000
UNNAMED_TYPES = frozenset({"", "application/octet-stream"})

IMAGE_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
IMAGE_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1"})


async def read_query(request: Request, shape: type[Q]) -> Q:
    """The query of a request, whichever way it was sent, with its parameters from wherever they were put.

    Raises `Malformed`, `UnsupportedMedia` or `InvalidParameter`, and what the body's limits raise.
    """
    options = _options(request.query_params.multi_items(), shape, "the query string")
    values = await _body_values(request, shape)
    if twice := sorted(options.keys() & values.keys()):
        raise InvalidParameter(f"{', '.join(twice)}: given in the query string and in the body")
    return validated(shape, {**options, **values})


def validated(shape: type[Q], values: Mapping[str, object]) -> Q:
    """The values as a query; raises `InvalidParameter` with every finding."""
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        found = details_of(error)
        raise InvalidParameter("; ".join(_sentence(one) for one in found[:3]), errors=found) from None


def sniff(data: bytes) -> MediaKind:
    """Whether a file is an image, by its first bytes; whatever is not is taken for audio."""
    riff_image = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    mp4_image = data[4:8] == b"ftyp" and data[8:12] in IMAGE_BRANDS
    return "image" if data.startswith(IMAGE_MAGIC) or riff_image or mp4_image else "audio"


async def _body_values(request: Request, shape: type[MediaQuery]) -> dict[str, object]:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Compressed bodies are not read; send the file as it is.")
    media_type = media_type_of(request.headers)
    if media_type == "multipart/form-data":
        return await _from_form(request, shape)
    if is_json(media_type):
        return _from_json(await request.body())
    return _from_raw(media_type, await request.body())


def media_type_of(headers: Headers) -> str:
    """What a body is, in small letters and without parameters; empty where nothing is said."""
    return headers.get("content-type", "").split(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


async def _from_form(request: Request, shape: type[MediaQuery]) -> dict[str, object]:
    parts = await read_form(request)
    values = _options([(part.name, _text(part)) for part in parts if not part.is_file], shape, "the form")
    file = next((part for part in parts if part.is_file), None)
    if file is None:
        raise InvalidParameter("The form has no file: send one in the field file, audio or image.")
    if file.name not in FILE_FIELDS:
        raise InvalidParameter(f"{file.name[:40]!r}: a file goes in the field file, audio or image.")
    return values | _media(bytes(file.data), FILE_FIELDS[file.name])


def _from_json(body: bytes) -> dict[str, object]:
    # Millions of small values take seconds to read, in which nobody else is answered.
    if body.count(b",") > MAX_COMMAS:
        raise Malformed("The body is JSON with more values than any query has.")
    try:
        values = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise Malformed("The body is JSON, but no object.")
    return values


def _from_raw(media_type: str, body: bytes) -> dict[str, object]:
    if media_type.startswith("audio/") or media_type in AUDIO_TYPES:
        return _media(body, "audio")
    if media_type.startswith("image/"):
        return _media(body, "image")
    if media_type in UNNAMED_TYPES:
        return _media(body, None)
    raise UnsupportedMedia(
        f"A body of type {media_type[:60]} is not read. Send the bytes of a file with Content-Type: audio/* or "
        "image/*, a multipart form with the field file, or JSON."
    )


def _media(data: bytes, kind: MediaKind | None) -> dict[str, object]:
    if not data:
        raise Malformed("The body, or the file in it, is empty.")
    return {kind or sniff(data): {"data": data}}


def _text(part: Part) -> str:
    try:
        return part.data.decode()
    except UnicodeDecodeError:
        raise Malformed(f"The field {part.name[:40]!r} is not UTF-8.") from None


def _options(items: Iterable[tuple[str, str]], shape: type[MediaQuery], where: str) -> dict[str, object]:
    """Parameters given as text; only `include` may come more than once."""
    values: dict[str, object] = {}
    for name, value in items:
        if name not in shape.options():
            known = ", ".join(sorted(shape.options())) or "no parameter"
            raise InvalidParameter(f"{name[:40]!r} is not known in {where}; it takes {known}.")
        if name in values and name != "include":
            raise InvalidParameter(f"{name} is given twice in {where}.")
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def _sentence(finding: Mapping[str, object]) -> str:
    return f"{finding['field']}: {finding['detail']}" if finding["field"] else str(finding["detail"])
