"""Items for a collection, as they are sent: the shape of one, and of a batch."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from app.query.requests import MAX_FIELDS, MAX_TEXT, MAX_VECTOR, Finite, Media
from index.durable.media import SCHEME
from index.manifest import Kind
from index.records import MAX_ID_CHARACTERS

MAX_URI = 2048  # characters
MAX_METADATA = 65_536  # characters of JSON
SOURCES = ("audio", "image", "text", "vector")

Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]


class NewItem(BaseModel):
    """One item: exactly one of `image`, `audio`, `text` and `vector`, and what is to be known of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Id | None = Field(None, description="Of the record, new or replaced; else made of what is in the item.")
    image: Media | None = None
    audio: Media | None = None
    text: str | None = Field(
        None, min_length=1, max_length=MAX_TEXT, pattern=r"\S", description="The caption or keyword itself."
    )
    vector: list[Finite] | None = Field(
        None, min_length=1, max_length=MAX_VECTOR, fail_fast=True, description="As the model would make it; with an id."
    )
    uri: str | None = Field(
        None, min_length=1, max_length=MAX_URI, description="Where the media is; then the service keeps none of it."
    )
    caption: str | None = Field(None, max_length=MAX_TEXT)
    metadata: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, values: object) -> object:
        if isinstance(values, dict) and len(values) > MAX_FIELDS:
            raise ValueError(f"has {len(values)} fields")
        return values

    @model_validator(mode="after")
    def _exactly_one_source(self) -> NewItem:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(SOURCES)}; got {', '.join(given) or 'none'}")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> NewItem:
        if self.vector is not None and self.id is None:
            raise ValueError("a vector needs an id")
        if self.text is not None and self.caption is not None:
            raise ValueError("a text is its own caption")
        if self.vector is None and self.uri is not None and self.uri.startswith(SCHEME):
            raise ValueError(f"a uri that begins with {SCHEME} is that of media which the service keeps")
        if len(json.dumps(self.metadata, ensure_ascii=False)) > MAX_METADATA:
            raise ValueError(f"metadata: is longer than {MAX_METADATA} characters")
        return self


class NewItems(BaseModel):
    """A batch: stored wholly or not at all."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    items: list[NewItem] = Field(min_length=1)


class NewCollection(BaseModel):
    """What a new collection is to hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Kind = Field("images", description="What its items are.")


class RestoreRequest(BaseModel):
    """Which snapshot to restore, and whether it may take the place of what is there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    snapshot: str = Field(max_length=256, description="The name of one of `/snapshots`.")
    replace: bool = Field(False, description="Also in the place of the collection of this name.")


class MediaItem(BaseModel):
    """What can be said of an item whose media is the body, or a file of a form: in the query string, or in fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: Id | None = None
    uri: str | None = None
    caption: str | None = None
    metadata: str | None = Field(None, description="A JSON object.")


Values = dict[str, Any]
