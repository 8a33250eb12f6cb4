"""The shapes of answers, as they are in JSON."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from models.config import Branch

CAPPED = (
    "There with `group_by` or `diversity`: whether a cap was met, so that groups may be missing, or results after the "
    "500th come as they are near."
)


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True)


class QueryInfo(_Response):
    """What was understood of the query."""

    kind: Literal["audio", "image", "text", "vector", "id", "queries"]
    format: str | None = Field(description="The container, as read from the bytes; null where there is none.")
    seconds: float | None = Field(description="Length of the audio; null where there is none.")
    truncated: bool = Field(description="The file broke off, and what could be decoded was used.")
    queries: list[WeightedInfo] | None = Field(None, description="Of several queries together, each one.")


class WeightedInfo(_Response):
    """One of several queries that were combined."""

    kind: Literal["audio", "image", "text", "vector", "id"]
    format: str | None
    seconds: float | None
    truncated: bool
    weight: float


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
    score: float = Field(description="Cosine in [-1, 1]; with `words`, what these add is in it.")
    uri: str | None = Field(default=None, description="As it was indexed; the file itself is at `/media`.")
    caption: str | None = None
    metadata: dict[str, JsonValue] | None = None
    vector: list[float] | None = None


class SearchResponse(_Response):
    results: list[Result]
    capped: bool | None = Field(default=None, description=CAPPED)
    query: QueryInfo
    model: ModelInfo
    collection: CollectionInfo
    timings_ms: Timings
    request_id: str


class PicturePart(_Response):
    """In shares of the picture's width and height."""

    left: float
    top: float
    width: float
    height: float


class ExplainResponse(_Response):
    """Which part of a picture makes it an answer to a query."""

    score: float = Field(description="Cosine in [-1, 1] of the query and the part that the model looks at.")
    drops: list[list[float]] = Field(
        description="Rows of cells: how much lower the score is, on average, where something covers the cell and its "
        "neighbours; below 0 where it is higher then."
    )
    part: PicturePart = Field(description="Where the grid lies in the picture: all that the model looks at.")
    query: QueryInfo
    model: ModelInfo
    collection: CollectionInfo
    timings_ms: Timings
    request_id: str


class Keyword(_Response):
    keyword: str
    score: float = Field(description="Cosine in [-1, 1].")
    rank: int = Field(description="1 is the nearest.")


class SlotWord(_Response):
    """A text of the vocabulary, scored against one keyword slot."""

    word: str
    score: float = Field(description="Cosine in [-1, 1] of the slot's vector and the word's direction.")


class SpokenWord(SlotWord):
    """The same with its place in what was said."""

    slot: int = Field(description="The slot that it is nearest to.")
    start: float = Field(description="Seconds from the start of the audio.")
    end: float = Field(description="Seconds from the start of the audio.")


class SlotSubword(_Response):
    text: str = Field(description="A piece of a word as the model's table has it; `</w>` ends a word.")
    score: float = Field(description="Cosine in [-1, 1].")


class Slot(_Response):
    """One keyword that the model has put together from what was said."""

    slot: int = Field(description="0 is the first.")
    start: float = Field(description="Seconds from the start of the audio.")
    end: float = Field(description="Seconds from the start of the audio.")
    known: bool = Field(
        description="Whether the vocabulary has what it heard: its nearest word is about as near as its nearest piece."
    )
    subwords: list[SlotSubword] = Field(description="The nearest pieces of words, nearest first.")
    words: list[SlotWord] = Field(description="The nearest texts of the vocabulary, nearest first; at most 10.")


class SpokenKeywords(_Response):
    """What the keyword slots of a model tell; both are empty for models without them, and without audio."""

    words: list[SpokenWord] = Field(description="Each with its best slot, nearest first.")
    slots: list[Slot] = Field(description="At most 75.")


class KeywordsResponse(_Response):
    """`keywords` are the texts nearest to the whole query, `words` and `slots` those nearest to parts of the audio."""

    keywords: list[Keyword]
    words: list[SpokenWord] = Field(description="Over all slots, each with its best one; empty without slots.")
    slots: list[Slot] = Field(description="The model's keyword slots, at most 75; empty for models without them.")
    capped: bool | None = Field(default=None, description=CAPPED)
    vector: list[float] | None = Field(default=None, description="The query's; there when `include` names it.")
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
    status: Literal["ready", "opening", "unavailable"]
    detail: str | None = Field(None, description="Why it cannot be used.")
    kind: str | None = None
    version: int | None = None
    count: int | None = None
    dim: int | None = None
    bytes: int | None = Field(
        None,
        description="On disk, of records and index, not of media. Null where they are not in files, and in `/info`.",
    )
    media_bytes: int | None = Field(
        None,
        description="On disk, of the files that it keeps itself. Null where others keep some too, and in `/info`.",
    )
    model: str | None = Field(None, description="Fingerprint of the model that made its vectors.")
    recipe: str | None = Field(None, description="How vectors are found: `Flat` compares each.")
    recall: float | None = Field(
        None, description="How much of the 10 nearest is found, as measured when the index was built."
    )


class CollectionsResponse(_Response):
    collections: list[CollectionDetails]


class StoredItems(_Response):
    """What storing a batch came to; the same again when it is sent again with its `Idempotency-Key`."""

    ids: list[str] = Field(description="Of the records, in the order of the items.")
    created: int
    replaced: int = Field(description="How many took the place of records with their ids.")
    collection: CollectionInfo = Field(description="With the batch in it.")


class Item(_Response):
    """A record; `vector` is there when `include` names it."""

    id: str
    uri: str | None = Field(description="Where the media is; `media:…` where the service keeps it.")
    caption: str | None
    metadata: dict[str, JsonValue]
    vector: list[float] | None = None


class ItemsPage(_Response):
    """Records in the order of their ids."""

    items: list[Item]
    cursor: str | None = Field(description="For the next page; null on the last.")
    collection: CollectionInfo


class DeletedItem(_Response):
    id: str
    collection: CollectionInfo = Field(description="Without the record.")


class CompactResponse(_Response):
    collection: CollectionInfo
    bytes_before: int
    bytes_after: int


class SnapshotDetails(_Response):
    """A file in the folder of snapshots."""

    name: str = Field(description="Of the file; `/snapshots/{name}` has it.")
    bytes: int


class NewSnapshot(SnapshotDetails):
    """A snapshot that was made, and read again from end to end."""

    sha256: str = Field(description="Of all but its last line, which says the same.")
    collection: CollectionInfo = Field(description="As it is in the snapshot.")


class SnapshotsResponse(_Response):
    snapshots: list[SnapshotDetails]


class Alive(_Response):
    status: Literal["alive"]


class StartStep(_Response):
    step: str
    seconds: float


class Ready(_Response):
    status: Literal["ready"]
    started: list[StartStep] = Field(description="What the start consisted of, and how long each part took.")


class Limits(_Response):
    max_body_bytes: int
    max_seconds: float
    max_top_k: int
    max_items: int = Field(description="Most items in one batch.")
    max_batch_bytes: int = Field(description="Largest body with items.")
    max_snapshot_bytes: int = Field(description="Largest snapshot that can be sent.")
    deadline_s: float


class FullModelInfo(ModelInfo):
    fingerprint: str
    precision: str = Field(description="Numbers in which its products are made: `fp32` or `bf16`.")
    branches: list[Branch] = Field(
        description="What `branch` may be in a query, first the one that is used by default; `cascaded` has slots."
    )


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
