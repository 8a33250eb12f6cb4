"""What the service answers. Fields that a newer service adds are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["images", "captions", "keywords", "audio"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class WeightedInfo(_Answer):
    """One of several queries; `seconds` of audio, `format` of a file."""

    kind: str
    format: str | None = None
    seconds: float | None = None
    truncated: bool = False
    weight: float


class QueryInfo(_Answer):
    """What was understood of the query; `seconds` of audio, `format` of a file, `queries` of several."""

    kind: str
    format: str | None = None
    seconds: float | None = None
    truncated: bool = False
    queries: tuple[WeightedInfo, ...] | None = None


class Model(_Answer):
    """The model that answered; `revision` is the start of its fingerprint, and `dim` the length of its vectors."""

    name: str
    revision: str
    dim: int


class CollectionState(_Answer):
    """A collection at one moment; its version grows with each change."""

    name: str
    version: int
    count: int


class Timings(_Answer):
    """Milliseconds in each stage of the service."""

    decode: float = 0.0
    queue: float = 0.0
    encode: float = 0.0
    search: float = 0.0
    total: float


class Result(_Answer):
    """One record that was found. rank: 1 is the nearest; score: a cosine in [-1, 1], with `words` more.

    uri, metadata and vector: None where `include` did not name them.
    """

    id: str
    rank: int
    score: float
    caption: str | None = None
    uri: str | None = None
    metadata: Mapping[str, Any] | None = None
    vector: tuple[float, ...] | None = None


class Found(_Answer):
    """The answer of a search, nearest first.

    capped: with `group_by` or `diversity`, whether the service stopped looking before it was through.
    """

    results: tuple[Result, ...]
    capped: bool | None = None
    query: QueryInfo
    model: Model
    collection: CollectionState
    timings_ms: Timings
    request_id: str


class Keyword(_Answer):
    """A keyword near to the query as a whole."""

    keyword: str
    score: float
    rank: int


class SlotWord(_Answer):
    word: str
    score: float


class SpokenWord(SlotWord):
    """A word near to a part of the audio; start and end: seconds from its beginning."""

    slot: int
    start: float
    end: float


class Subword(_Answer):
    text: str
    score: float


class Slot(_Answer):
    """One keyword that the model put together, and when it heard it: seconds from the start."""

    slot: int
    start: float
    end: float
    known: bool = True
    """Whether what it heard is in the vocabulary."""
    subwords: tuple[Subword, ...]
    words: tuple[SlotWord, ...]


class _SpokenKeywords(_Answer):
    """`keywords` of the whole query; `words` and `slots` of its parts, empty for models without keyword slots."""

    keywords: tuple[Keyword, ...]
    words: tuple[SpokenWord, ...]
    slots: tuple[Slot, ...]

    @property
    def heard(self) -> tuple[SpokenWord, ...]:
        """What each slot that heard something of the vocabulary may have heard: for `heard` in a search."""
        known = [slot for slot in self.slots if slot.known]
        return tuple(
            SpokenWord(word=one.word, score=one.score, slot=slot.slot, start=slot.start, end=slot.end)
            for slot in known
            for one in slot.words
        )


class FoundKeywords(_SpokenKeywords):
    """Of one query. vector: its own, where it was asked for; capped: as in `Found`."""

    vector: tuple[float, ...] | None = None
    capped: bool | None = None
    query: QueryInfo
    model: Model
    collection: CollectionState
    timings_ms: Timings
    request_id: str


class Embedding(_Answer):
    """The unit vector of audio, an image or a text."""

    vector: tuple[float, ...]
    query: QueryInfo
    model: Model
    timings_ms: Timings
    request_id: str


class Collection(_Answer):
    """A collection, or in `detail` why it cannot be used; then what follows it is None.

    model: fingerprint of the model that made its vectors. recipe: how vectors are found, `Flat` compares each;
    recall: how much of the 10 nearest is found, None where it was not measured. bytes: on disk, without media;
    media_bytes: of the media that it keeps itself.
    """

    name: str
    status: str
    detail: str | None = None
    kind: str | None = None
    version: int | None = None
    count: int | None = None
    dim: int | None = None
    bytes: int | None = None
    media_bytes: int | None = None
    model: str | None = None
    recipe: str | None = None
    recall: float | None = None


class Collections(_Answer):
    collections: tuple[Collection, ...]


class Item(_Answer):
    """A record as it is stored; uri: `media:…` where the service keeps the file."""

    id: str
    uri: str | None = None
    caption: str | None = None
    metadata: Mapping[str, Any]
    vector: tuple[float, ...] | None = None


class ItemsPage(_Answer):
    """Records in the order of their ids; cursor: for the next page, None on the last."""

    items: tuple[Item, ...]
    cursor: str | None = None
    collection: CollectionState


class Stored(_Answer):
    """What storing a batch came to; ids: in the order of the items."""

    ids: tuple[str, ...]
    created: int
    replaced: int
    collection: CollectionState


class Snapshot(_Answer):
    """A file in the service's folder of snapshots."""

    name: str
    bytes: int


class KeptSnapshot(Snapshot):
    """One that was made or sent, and is whole; collection: as it is in the snapshot."""

    sha256: str
    collection: CollectionState


class Snapshots(_Answer):
    snapshots: tuple[Snapshot, ...]


class FullModel(Model):
    """branches: what `branch` may be, the default first; precision: of its products, fp32 or bf16."""

    fingerprint: str
    branches: tuple[str, ...]
    precision: str = "fp32"


class Limits(_Answer):
    max_body_bytes: int
    max_seconds: float
    max_top_k: int
    max_items: int
    max_batch_bytes: int
    max_snapshot_bytes: int
    deadline_s: float


class Info(_Answer):
    """The service; status: starting, ready, failed or draining. model: None until it has started."""

    name: str
    version: str
    status: str
    model: FullModel | None
    collections: tuple[Collection, ...]
    limits: Limits


class LiveKeywords(_SpokenKeywords):
    """Of what was heard so far; times are seconds from the start of the stream."""


class Span(_Answer):
    """Seconds from the start of the stream."""

    start: float
    end: float


class Interim(_Answer):
    """What was found in the first `seconds` of a stream.

    searches: results by collection; stable: whether every search has the first result that it had before; vector: what
    was searched with, for those who ask for it.
    """

    sequence: int
    seconds: float
    searches: Mapping[str, tuple[Result, ...]]
    keywords: LiveKeywords | None = None
    stable: bool
    vector: tuple[float, ...] | None = None


class Final(Interim):
    """The last answer of a stream.

    speech: from the first to the last speech; reason: end, end_of_speech or limit.
    """

    speech: Span
    reason: str
    timings_ms: Timings
