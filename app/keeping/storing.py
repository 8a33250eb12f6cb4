"""Items become records: decoded and embedded group by group beside the queries, then stored in one transaction."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from app.engine import Engine, Task
from app.errors import MOST_DETAILS, EncodingFailed, InvalidParameter, ItemsRefused
from app.keeping.items import SOURCES, NewItem
from app.query.embedding import unit_vector
from app.state import Loaded, State
from index.backend import Collection
from index.durable.media import SCHEME, name_of
from index.errors import InvalidRecord
from index.manifest import Kind
from index.records import Record, check_records
from models.decoders import Decoder
from models.errors import AudioError, ImageError

Vector = NDArray[np.float32]
Content = Image | NDArray[np.float32] | str
"""What the encoder takes."""

ID_CHARACTERS = 32
"""Of the digest that names an item which brings no id."""
# What a collection of a kind is made of; vectors go into any.
KINDS: Mapping[str, frozenset[Kind]] = {
    "image": frozenset({"images"}),
    "audio": frozenset({"audio"}),
    "text": frozenset({"captions", "keywords"}),
}
# A container of its own for sound alone, so that a browser plays it as that.
SUFFIXES = {"mp4": ".m4a"}
REFUSALS = (AudioError, ImageError, InvalidParameter, InvalidRecord)


@dataclass(frozen=True)
class ReadyItem:
    """An item that could be read: its record, and either its vector or what is to be embedded."""

    record: Record
    media: tuple[str, bytes] | None
    """The file that the collection is to keep, by its name."""
    vector: Vector | None
    payload: Content | None


@dataclass(frozen=True)
class ReadyBatch:
    """Everything that `Collection.put` takes."""

    records: Sequence[Record]
    vectors: Vector
    media: Mapping[str, bytes]


def digest_of(items: Sequence[NewItem]) -> str:
    """The same for batches that would store the same."""
    digest = hashlib.sha256()
    for item in items:
        said = [item.id, item.uri, item.caption, item.metadata, *_source(item)]
        digest.update(json.dumps(said, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def ids_of(items: Sequence[NewItem]) -> list[str]:
    """What their records are called: as they say, or by what is in them."""
    return [item.id or _source(item)[1][:ID_CHARACTERS] for item in items]


def ready_item(item: NewItem, kind: Kind, dim: int, decoder: Decoder) -> ReadyItem:
    """Decode what an item brings. Raises one of `REFUSALS`."""
    name, _ = _source(item)
    if name != "vector" and kind not in KINDS[name]:
        fitting = [known for known in KINDS if kind in KINDS[known]]
        raise InvalidParameter(f"a collection of {kind} takes {' and '.join([*fitting, 'vector'])}, not {name}")
    payload, suffix = _decoded(item, decoder)
    data = item.image or item.audio
    media = None if data is None or item.uri is not None else (name_of(data.data, suffix), data.data)
    uri = item.uri if media is None else SCHEME + media[0]
    record = Record(ids_of([item])[0], uri, item.caption or item.text, item.metadata)
    check_records([record])
    vector = None if item.vector is None else unit_vector(item.vector, dim)
    return ReadyItem(record, media, vector, payload)


async def ready_batch(state: State, loaded: Loaded, collection: Collection, items: Sequence[NewItem]) -> ReadyBatch:
    """Read and embed items. Raises `ItemsRefused`, with every item that cannot be used, and as `Engine.encode` does."""
    group_size, dim = state.settings.batch_size, loaded.engine.encoder.dim
    ready, vectors, refused = list[ReadyItem](), list[Vector](), dict[int, Exception]()
    for start in range(0, len(items), group_size):
        group = items[start : start + group_size]
        # Decoded images are large: only one group of them is ever held.
        outcomes = await state.decoding.run(_ready_group, group, collection.kind, dim, state.decoder)
        refused |= {start + place: one for place, one in enumerate(outcomes) if isinstance(one, Exception)}
        if len(refused) >= MOST_DETAILS:
            break
        if not refused:
            done = [one for one in outcomes if isinstance(one, ReadyItem)]
            vectors += await _embedded(state, loaded.engine, done, start, items)
            ready += [ReadyItem(one.record, one.media, None, None) for one in done]
    refused |= _twice([one.record.id for one in ready])
    if refused:
        raise _refusal(refused, items)
    media = dict(one.media for one in ready if one.media is not None)
    return ReadyBatch([one.record for one in ready], np.stack(vectors), media)


def _ready_group(items: Sequence[NewItem], kind: Kind, dim: int, decoder: Decoder) -> list[ReadyItem | Exception]:
    return list(_each_ready(items, kind, dim, decoder))


def _each_ready(items: Sequence[NewItem], kind: Kind, dim: int, decoder: Decoder) -> Iterator[ReadyItem | Exception]:
    for item in items:
        try:
            yield ready_item(item, kind, dim, decoder)
        except REFUSALS as error:
            yield error


async def _embedded(
    state: State, engine: Engine, group: Sequence[ReadyItem], start: int, items: Sequence[NewItem]
) -> list[Vector]:
    async with state.batch_turn:
        work = [_vector(engine, one) for one in group]
        vectors = await asyncio.gather(*work, return_exceptions=True)
    failed = {start + place: one for place, one in enumerate(vectors) if isinstance(one, EncodingFailed)}
    if failed:
        raise _refusal(failed, items)
    for one in vectors:
        if isinstance(one, BaseException):
            raise one
    return [one for one in vectors if isinstance(one, np.ndarray)]


async def _vector(engine: Engine, item: ReadyItem) -> Vector:
    if item.vector is not None:
        return item.vector
    payload = item.payload if item.payload is not None else ""
    return (await engine.encode(_task(payload), payload)).vector


def _task(payload: Content) -> Task:
    if isinstance(payload, str):
        return Task("text")
    return Task("image") if isinstance(payload, Image) else Task("speech")


def _decoded(item: NewItem, decoder: Decoder) -> tuple[Content | None, str]:
    """What the encoder is given, and the suffix of a file of its format."""
    if item.image is not None:
        image, format = decoder.image(item.image.data)
        return image, f".{format}"
    if item.audio is not None:
        wave = decoder.audio(item.audio.data)
        return wave.samples, SUFFIXES.get(wave.format, f".{wave.format}")
    return item.text, ""


def _source(item: NewItem) -> tuple[str, str]:
    """What an item brings, and the digest of it."""
    for name in ("image", "audio"):
        if (media := getattr(item, name)) is not None:
            return name, hashlib.sha256(media.data).hexdigest()
    if item.text is not None:
        return "text", hashlib.sha256(item.text.encode("utf-8", "surrogatepass")).hexdigest()
    return "vector", hashlib.sha256(np.array(item.vector, np.float64).tobytes()).hexdigest()


def _twice(ids: Sequence[str]) -> dict[int, Exception]:
    seen, found = set[str](), dict[int, Exception]()
    for place, id in enumerate(ids):
        if id in seen:
            found[place] = InvalidRecord(f"the id {id!r} comes twice in one batch")
        seen.add(id)
    return found


def _refusal(refused: Mapping[int, Exception], items: Sequence[NewItem]) -> ItemsRefused:
    errors = [
        {"field": _pointer(place, items), "detail": str(refused[place])} for place in sorted(refused)[:MOST_DETAILS]
    ]
    told = "; ".join(f"{one['field']}: {one['detail']}" for one in errors[:3])
    return ItemsRefused(f"{told}. Nothing of the batch is stored.", refused[min(refused)], errors)


def _pointer(place: int, items: Sequence[NewItem]) -> str:
    name = next(name for name in SOURCES if getattr(items[place], name) is not None)
    return name if len(items) == 1 else f"items.{place}.{name}"
