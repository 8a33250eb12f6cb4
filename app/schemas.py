"""The shapes of requests and responses, as they are in JSON."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema, model_validator

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


class KeywordQuery(MediaQuery):
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
    def _collection_goes_with_id(self) -> KeywordQuery:
        if self.collection is not None and self.id is None:
            raise ValueError("collection says where the record of an id is; it needs an id")
        return self


class SearchQuery(KeywordQuery):
    """The same, with a choice of what each result tells."""

    include: Annotated[frozenset[Include], BeforeValidator(_from_commas)] = Field(
        DEFAULT_INCLUDE,
        fail_fast=True,
        description="What each result tells beside id, rank, score and caption.",
        json_schema_extra={"default": ["uri", "metadata"]},  # a set has no order to write down
    )


class EmbedQuery(MediaQuery):
    """What `/embed` takes."""


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True)


class QueryInfo(_Response):
    """What was understood of the query."""

    kind: Literal["audio", "image", "text", "vector", "id"]
    format: str | None = Field(description="The container, as read from the bytes; null where there is none.")
    seconds: float | None = Field(description="Length of the audio; null where there is none.")
    truncated: bool = Field(description="The file broke off, and what could be decoded was used.")


class ModelInfo(_Response):
    name: str
    revision: str = Field(description="First characters of the fingerprint over configuration and weights.")
    dim: int


class CollectionInfo(_Response):
    name: str
    version: int = Field(description="Grows with each change of the collection.")
    count: int


class Timings(_Response):
    """Milliseconds in each stage; `total` starts when the body has arrived."""

    decode: float
    queue: float
    encode: float
    search: float
    total: float


class EmbedTimings(_Response):
    """Milliseconds in each stage; `total` starts when the body has arrived."""

    decode: float
    queue: float
    encode: float
    total: float


class Result(_Response):
    """One record; `uri`, `metadata` and `vector` are there when `include` names them."""

    id: str
    rank: int = Field(description="1 is the nearest.")
    score: float = Field(description="Cosine in [-1, 1].")
    uri: str | None = Field(default=None, description="As it was indexed; the file itself is at `/media`.")
    caption: str | None = None
    metadata: dict[str, JsonValue] | None = None
    vector: list[float] | None = None


class SearchResponse(_Response):
    results: list[Result]
    query: QueryInfo
    model: ModelInfo
    collection: CollectionInfo
    timings_ms: Timings
    request_id: str


class Keyword(_Response):
    keyword: str
    score: float = Field(description="Cosine in [-1, 1].")
    rank: int = Field(description="1 is the nearest.")


class KeywordsResponse(_Response):
    keywords: list[Keyword]
    query: QueryInfo
    model: ModelInfo
    collection: CollectionInfo
    timings_ms: Timings
    request_id: str


class EmbedResponse(_Response):
    vector: list[float] = Field(description="Of unit length.")
    query: QueryInfo
    model: ModelInfo
    timings_ms: EmbedTimings
    request_id: str


class CollectionDetails(_Response):
    """A collection, or why it cannot be used."""

    name: str
    status: Literal["ready", "unavailable"]
    detail: str | None = Field(None, description="Why it cannot be used.")
    kind: str | None = None
    version: int | None = None
    count: int | None = None
    dim: int | None = None
    model: str | None = Field(None, description="Fingerprint of the model that made its vectors.")


class CollectionsResponse(_Response):
    collections: list[CollectionDetails]


class Alive(_Response):
    status: Literal["alive"]


class Ready(_Response):
    status: Literal["ready"]


class Limits(_Response):
    max_body_bytes: int
    max_seconds: float
    max_top_k: int
    deadline_s: float


class FullModelInfo(ModelInfo):
    fingerprint: str


class InfoResponse(_Response):
    name: str
    version: str
    status: str
    model: FullModelInfo | None
    collections: list[CollectionDetails]
    limits: Limits


class FieldProblem(_Response):
    field: str
    detail: str


class Problem(_Response):
    """RFC 9457, with a stable `code`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldProblem] | None = Field(None, description="Which fields were refused.")
    progress: dict[str, JsonValue] | None = Field(None, description="How far the start has come (`not_ready`).")
