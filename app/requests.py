"""The shapes of requests, as they are in JSON."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from models.config import Branch

MAX_TEXT = 1000  # characters
MAX_VECTOR = 8192  # numbers
MAX_TOP_K = 1000
MAX_FIELDS = 32  # of an object in a request; none has so many

Include = Literal["uri", "metadata", "vector"]
DEFAULT_INCLUDE: frozenset[Include] = frozenset({"uri", "metadata"})


def _from_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None


def _from_commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Base64 = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "description": "The bytes of the file."}),
]

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, values: object) -> object:
        """Every unknown field becomes a finding, and a body has room for half a million."""
        if isinstance(values, dict) and len(values) > MAX_FIELDS:
            raise ValueError(f"has {len(values)} fields")
        return values


class Media(_Request):
    """A file inside JSON."""

    data: Base64 = Field(min_length=1)


class MediaQuery(_Request):
    """What can be turned into a vector: exactly one of `audio`, `image` and `text`."""

    audio: Media | None = None
    image: Media | None = None
    text: str | None = Field(None, min_length=1, max_length=MAX_TEXT, pattern=r"\S")
    branch: Branch | None = Field(
        None, description="Of the model, to embed audio with: one of those in `/info`; else the model's search branch."
    )

    @classmethod
    def sources(cls) -> frozenset[str]:
        """The fields of which exactly one is given."""
        return frozenset({"audio", "image", "text"})

    @classmethod
    def options(cls) -> frozenset[str]:
        """The fields that may come in the query string or a form as well."""
        return frozenset(cls.model_fields) - cls.sources()

    @model_validator(mode="after")
    def _exactly_one_source(self) -> MediaQuery:
        known = sorted(self.sources())
        given = [name for name in known if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(known)}; got {', '.join(given) or 'none'}")
        return self

    @model_validator(mode="after")
    def _branch_goes_with_audio(self) -> MediaQuery:
        if self.branch is not None and self.audio is None:
            raise ValueError("branch says how audio is embedded; it needs audio")
        return self


class NearestQuery(MediaQuery):
    """A query for the nearest records: audio, an image, a text, a vector, or the id of a record that is like it."""

    vector: list[Finite] | None = Field(None, min_length=1, max_length=MAX_VECTOR, fail_fast=True)
    id: str | None = Field(None, min_length=1, max_length=256, description="A record whose own vector is the query.")
    collection: str | None = Field(None, max_length=256, description="Where that record is, if it is elsewhere.")
    top_k: int = Field(10, ge=1, le=MAX_TOP_K, description="How many results.")
    offset: int = Field(0, ge=0, le=10_000, description="How many of the nearest to pass over.")
    min_score: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False, description="Smallest cosine to return.")

    @classmethod
    def sources(cls) -> frozenset[str]:
        return frozenset({"audio", "image", "text", "vector", "id"})

    @classmethod
    def options(cls) -> frozenset[str]:
        return super().options() - {"collection"}

    @model_validator(mode="after")
    def _collection_goes_with_id(self) -> NearestQuery:
        if self.collection is not None and self.id is None:
            raise ValueError("collection says where the record of an id is; it needs an id")
        return self


class SearchQuery(NearestQuery):
    """The same, with a choice of what each result tells."""

    include: Annotated[frozenset[Include], BeforeValidator(_from_commas)] = Field(
        DEFAULT_INCLUDE,
        fail_fast=True,
        description="What each result tells beside id, rank, score and caption.",
        json_schema_extra={"default": ["uri", "metadata"]},  # a set has no order to write down
    )


class KeywordQuery(NearestQuery):
    """The same for `/keywords`, with a choice of what the answer tells."""

    include: Annotated[frozenset[Literal["vector"]], BeforeValidator(_from_commas)] = Field(
        frozenset(),
        fail_fast=True,
        description="What the answer tells beside the keywords: the query's own vector, to search with it.",
        json_schema_extra={"default": []},
    )


class EmbedQuery(MediaQuery):
    """What `/embed` takes."""
