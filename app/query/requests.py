"""The shapes of requests, as they are in JSON."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import from_json

from index import filters
from index.errors import InvalidFilter
from index.filters.language import parse, parse_field
from models.config import Branch

KEYWORDS = "keywords"
"""The collection that `/keywords` answers from."""
MAX_TEXT = 1000  # characters
MAX_VECTOR = 8192  # numbers
MAX_TOP_K = 1000
MAX_QUERIES = 8  # that are combined into one
MAX_WEIGHT = 100
MAX_HEARD = 750  # words: ten of each of the slots that an answer has
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


def filter_of(value: JsonValue) -> filters.Filter:
    """A filter from JSON, or from its text. Raises `ValueError`, which says where the fault is."""
    if isinstance(value, str):
        try:
            value = from_json(value, allow_inf_nan=False)
        except ValueError as error:
            raise ValueError(f"is not JSON: {error}") from None
    try:
        return parse(value)
    except InvalidFilter as error:
        raise ValueError(f"{error.pointer} {error.reason}".strip()) from None


def _field_of(value: object) -> filters.Field:
    if not isinstance(value, str):
        raise ValueError("is not the name of a field")
    try:
        return parse_field(value)
    except InvalidFilter as error:
        raise ValueError(error.reason) from None


Base64 = Annotated[
    bytes,
    BeforeValidator(_from_base64),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "description": "The bytes of the file."}),
]

Finite = Annotated[float, Field(allow_inf_nan=False)]

Where = Annotated[
    filters.Filter,
    PlainValidator(filter_of),
    WithJsonSchema(
        {
            "type": "object",
            "examples": [{"metadata.price": {"gte": 10, "lt": 20}, "not": {"caption": {"contains": "sale"}}}],
        }
    ),
]

FieldName = Annotated[
    filters.Field, PlainValidator(_field_of), WithJsonSchema({"type": "string", "examples": ["metadata.product"]})
]


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


class AnyQuery(MediaQuery):
    """What has a vector, or can be turned into one: audio, an image, a text, a vector, or the id of a record."""

    vector: list[Finite] | None = Field(None, min_length=1, max_length=MAX_VECTOR, fail_fast=True)
    id: str | None = Field(None, min_length=1, max_length=256, description="A record whose own vector is the query.")
    collection: str | None = Field(None, max_length=256, description="Where that record is, if it is elsewhere.")

    @classmethod
    def sources(cls) -> frozenset[str]:
        return frozenset({"audio", "image", "text", "vector", "id"})

    @classmethod
    def options(cls) -> frozenset[str]:
        return super().options() - {"collection"}

    @model_validator(mode="after")
    def _collection_goes_with_id(self) -> AnyQuery:
        if self.collection is not None and self.id is None:
            raise ValueError("collection says where the record of an id is; it needs an id")
        return self


class WeightedQuery(AnyQuery):
    """One of several queries that make one together."""

    weight: float = Field(
        1.0,
        ge=-MAX_WEIGHT,
        le=MAX_WEIGHT,
        allow_inf_nan=False,
        description="How much of it there is in the whole; below 0 what is like it comes later.",
    )

    @model_validator(mode="after")
    def _weighs_something(self) -> WeightedQuery:
        if self.weight == 0:
            raise ValueError("weight is 0, and the query would count for nothing")
        return self


class NearestQuery(AnyQuery):
    """A query for the nearest records: audio, an image, a text, a vector, the id of a record that is like it, or
    several of these."""

    queries: list[WeightedQuery] | None = Field(
        None, min_length=1, max_length=MAX_QUERIES, description="Several, whose vectors are added by their weights."
    )
    top_k: int = Field(10, ge=1, le=MAX_TOP_K, description="How many results.")
    offset: int = Field(0, ge=0, le=10_000, description="How many of the nearest to pass over.")
    min_score: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False, description="Smallest cosine to return.")
    filter: Where | None = Field(
        None,
        description="Only records of which it is true are results: eq, ne, in, lt, lte, gt, gte, exists, contains "
        "on id, uri, caption and metadata.KEY, and and, or, not. Outside of JSON bodies, JSON as text.",
    )
    group_by: FieldName | None = Field(None, description="A field: one result for each of its values, the nearest.")
    diversity: float | None = Field(
        None, ge=0, le=1, allow_inf_nan=False, description="How much results are to differ from those before them."
    )

    @classmethod
    def sources(cls) -> frozenset[str]:
        return super().sources() | {"queries"}


class HeardWord(_Request):
    """One of the words of a slot that `/keywords` answered with."""

    word: str = Field(min_length=1, max_length=MAX_TEXT)
    score: float = Field(ge=-1, le=1, allow_inf_nan=False)
    slot: int = Field(ge=0, le=10_000)
    start: float | None = Field(None, description="Of no account here.")
    end: float | None = Field(None, description="Of no account here.")


class SearchQuery(NearestQuery):
    """The same, with a choice of what each result tells, and of how much the words that were heard count."""

    words: float = Field(
        0.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="How much it counts that a record has the words that were heard: in its caption, in "
        "metadata.keywords or in its picture. For audio and models with keyword slots; of no effect with others.",
    )
    heard: list[HeardWord] | None = Field(
        None,
        max_length=MAX_HEARD,
        description="The words that `/keywords` has heard in the audio whose vector is the query.",
    )
    include: Annotated[frozenset[Include], BeforeValidator(_from_commas)] = Field(
        DEFAULT_INCLUDE,
        fail_fast=True,
        description="What each result tells beside id, rank, score and caption.",
        json_schema_extra={"default": ["uri", "metadata"]},  # a set has no order to write down
    )

    @model_validator(mode="after")
    def _heard_goes_with_a_vector(self) -> SearchQuery:
        if self.heard is not None and self.vector is None:
            raise ValueError("heard says what was heard in the audio that a vector is of; it needs vector")
        return self


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


class ExplainQuery(AnyQuery):
    """What `/explain` takes."""
