"""Calls about collections and what is in them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from speechclip_client.calls import Call, answer, given, nothing, path
from speechclip_client.queries import Vector
from speechclip_client.results import Collection, Collections, Item, ItemsPage, Kind, Stored
from speechclip_client.uploads import File, JsonBody, upload


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """One item to store: exactly one of image, audio, text and vector.

    id: of the record, new or replaced; None: made of what is in the item, but a vector needs one.
    uri: where the media is; then the service keeps none of it. caption: not with a text, which is its own.
    """

    id: str | None = None
    image: File | None = None
    audio: File | None = None
    text: str | None = None
    vector: Vector | None = None
    uri: str | None = None
    caption: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def _json(self) -> dict[str, Any]:
        values = given(id=self.id, text=self.text, uri=self.uri, caption=self.caption)
        for name, file in given(image=self.image, audio=self.audio).items():
            values[name] = {"data": upload(file)}
        if self.vector is not None:
            values["vector"] = [float(number) for number in self.vector]
        return values | ({"metadata": dict(self.metadata)} if self.metadata else {})


def list_collections() -> Call[tuple[Collection, ...]]:
    """Every collection by name, those that cannot be used among them."""
    read = answer(Collections)
    return Call("GET", path("collections"), lambda body: read(body).collections)


def get_collection(name: str) -> Call[Collection]:
    """One collection; whether it can be searched, and if not, why."""
    return Call("GET", path("collections", name), answer(Collection))


def create_collection(name: str, kind: Kind) -> Call[Collection]:
    """A new, empty collection for the service's model; one that is there already and of this kind stays as it is."""
    return Call("PUT", path("collections", name), answer(Collection), body=JsonBody({"kind": kind}))


def delete_collection(name: str) -> Call[None]:
    """Delete a collection with all that is in it."""
    return Call("DELETE", path("collections", name), nothing, slow=True)


def store_items(collection: str, items: Iterable[NewItem], *, idempotency_key: str | None = None) -> Call[Stored]:
    """Store a batch, wholly or not at all; items with ids that are there replace.

    The batch is sent under a key of its own, so that it is stored once however often it is tried. Give one to have
    that also beyond this call, or this program. A store that remembers no keys gets it without, unless one was given:
    tried again, a batch replaces its items there by themselves.
    """
    batch = [item._json() for item in items]
    if not batch:
        raise ValueError("a batch has at least one item")
    headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
    where, body = path("collections", collection, "items"), JsonBody({"items": batch})
    own = idempotency_key is None
    return Call("POST", where, answer(Stored), headers=headers, body=body, slow=True, carries="batch", own_key=own)


def get_item(collection: str, id: str, *, include_vector: bool = False) -> Call[Item]:
    """One record."""
    return Call("GET", path("collections", collection, "items", id=id), answer(Item), params=_include(include_vector))


def delete_item(collection: str, id: str) -> Call[None]:
    """Delete one record."""
    return Call("DELETE", path("collections", collection, "items", id=id), nothing)


def page_of_items(collection: str, cursor: str | None, page: int, include_vector: bool) -> Call[ItemsPage]:
    """A page of a listing, and the cursor of the next."""
    params = given(limit=str(page), cursor=cursor) | _include(include_vector)
    return Call("GET", path("collections", collection, "items"), answer(ItemsPage), params=params)


def media(collection: str, id: str) -> Call[bytes]:
    """The image or audio behind a record."""
    return Call("GET", path("media", collection, id=id), bytes)


def _include(vector: bool) -> dict[str, str]:
    return {"include": "vector"} if vector else {}
