"""`speechclip items`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import ValidationError

from app.cli.errors import CommandError
from app.cli.local import load_model, open_store
from app.cli.query import embed, source_of
from app.cli.terminal import print_json, print_table
from app.demo import is_default
from app.errors import details_of
from app.keeping.items import NewItem, Values
from app.keeping.storing import REFUSALS, ReadyItem, ready_item
from app.settings import Settings
from index.backend import Collection
from index.records import Record
from models.decoders import DirectDecoder
from models.protocol import Encoder


@dataclass(frozen=True)
class Said:
    """What the options say of the items."""

    id: str | None
    caption: str | None
    uri: str | None
    metadata: str | None


def add(name: str, sources: Sequence[str], said: Said, settings: Settings, as_json: bool) -> None:
    """Store items, all or none, and print their ids; the JSON is that of `POST /collections/{name}/items`."""
    if len(sources) > 1 and (said.id or said.uri):
        raise CommandError("--id and --uri are about one item")
    if len(sources) > settings.max_items:
        raise CommandError(f"these are {len(sources)} items; {settings.max_items} go into one batch, more with `index`")
    items = [_new_item(source, said, settings.max_batch_bytes) for source in sources]
    with open_store(settings).open(name) as collection:
        _require_own(collection)
        encoder = load_model(settings)
        collection.require(encoder.fingerprint)
        done = [
            _embedded(source, item, collection, encoder, settings) for source, item in zip(sources, items, strict=True)
        ]
        media = dict(one.media for one, _ in done if one.media is not None)
        receipt = collection.put([one.record for one, _ in done], np.stack([vector for _, vector in done]), media)
    ids = [one.record.id for one, _ in done]
    if as_json:
        about = {"name": name, "version": receipt.version, "count": receipt.count}
        print_json({"ids": ids, "created": receipt.created, "replaced": receipt.replaced, "collection": about})
    else:
        typer.echo("\n".join(ids))


def get(name: str, id: str, settings: Settings) -> None:
    """Print a record; the JSON is that of `GET /collections/{name}/items/{id}`, without its vector."""
    with open_store(settings).open(name) as collection:
        print_json(_told(collection.get(id)))


def delete(name: str, ids: Sequence[str], settings: Settings) -> None:
    with open_store(settings).open(name) as collection:
        _require_own(collection)
        count = collection.delete(ids)
    typer.echo(f"{count} of {len(ids)} deleted.", err=True)


def list_some(name: str, limit: int, after: str | None, settings: Settings, as_json: bool) -> None:
    with open_store(settings).open(name) as collection:
        records = collection.list(limit, after)
    if as_json:
        print_json({"items": [_told(record) for record in records]})
    else:
        print_table(("id", "caption", "uri"), [(one.id, one.caption or "", one.uri or "") for one in records])


def _new_item(source: str, said: Said, most_bytes: int) -> NewItem:
    values: Values = source_of(source, most_bytes, "SPEECHCLIP_MAX_BATCH_BYTES")
    called = None if "text" in values or source == "-" else Path(source).stem
    values |= {"id": said.id, "uri": said.uri, "caption": said.caption or called}
    try:
        return NewItem.model_validate(values | {"metadata": json.loads(said.metadata or "{}")})
    except ValidationError as error:
        first = details_of(error)[0]
        raise CommandError(f"{source} cannot be stored: {first['field']}: {first['detail']}") from None
    except (ValueError, RecursionError) as error:
        raise CommandError(f"--metadata is not JSON: {error}") from None


def _embedded(
    source: str, item: NewItem, collection: Collection, encoder: Encoder, settings: Settings
) -> tuple[ReadyItem, NDArray[np.float32]]:
    """The item without its content, which may be large, and its vector (E,)."""
    try:
        ready = ready_item(item, collection.kind, collection.dim, DirectDecoder(settings.max_seconds))
    except REFUSALS as error:
        raise CommandError(f"{source} cannot be stored: {error}") from None
    # What is named on the command line is never a vector.
    payload = "" if ready.payload is None else ready.payload
    return replace(ready, payload=None), embed(encoder, payload)[0][0]


def _require_own(collection: Collection) -> None:
    if is_default(collection):
        raise CommandError(
            f"collection {collection.name!r} is one of those that the service makes for itself: choose another name, "
            "or delete it first"
        )


def _told(record: Record) -> dict[str, object]:
    return {
        "id": record.id,
        "uri": record.uri,
        "caption": record.caption,
        "metadata": dict(record.metadata),
        "vector": None,
    }
