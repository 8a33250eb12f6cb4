"""The messages of `/stream`, as they are in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from app.errors import InvalidParameter, Malformed, details_of
from app.query.requests import MAX_FIELDS, Where
from app.schemas import Keyword, Result, Slot, SpokenWord, Timings
from models.config import Branch

MAX_TEXT = 65_536  # characters of a message
MAX_COMMAS = 2_000  # every value of JSON but the first comes after one
MAX_SEARCHES = 8
MAX_RESULTS = 100

Reason = Literal["end", "end_of_speech", "limit"]


class _FromClient(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, values: object) -> object:
        if isinstance(values, dict) and len(values) > MAX_FIELDS:
            raise ValueError(f"has {len(values)} fields")
        return values


class Start(_FromClient):
    """What is going to be sent, and what is looked for in it."""

    type: Literal["start"] = "start"
    format: Literal["pcm", "container"] = Field(
        "pcm", description="`pcm`: mono, 16 bits, little endian. `container`: a file that grows, as recorders make it."
    )
    rate: int = Field(16_000, ge=8_000, le=48_000, description="Samples in a second, of `pcm`.")
    searches: dict[Annotated[str, Field(max_length=256)], Annotated[int, Field(ge=1, le=MAX_RESULTS)]] = Field(
        default={"images": 10}, max_length=MAX_SEARCHES, description="Collections, and how many results of each."
    )
    keywords: int = Field(0, ge=0, le=MAX_RESULTS, description="How many keywords; 0 for none.")
    words: float = Field(
        0.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="How much it counts in the searches that a record has the words that were heard.",
    )
    branch: Branch | None = Field(None, description="Of the model; else its search branch.")
    filter: Where | None = Field(None, description="Only records of which it is true are results of the searches.")
    include: Annotated[frozenset[Literal["vector"]], Field(max_length=1)] = Field(
        frozenset(), description="What answers tell beside results: the vector that was searched with."
    )


class End(_FromClient):
    """Nothing more is said, and the final answer is wanted."""

    type: Literal["end"]


class Cancel(_FromClient):
    """No answer is wanted any more."""

    type: Literal["cancel"]


Request = Start | End | Cancel
SHAPES: Mapping[str, type[Request]] = {"start": Start, "end": End, "cancel": Cancel}


class _FromService(BaseModel):
    model_config = ConfigDict(frozen=True)

    def text(self) -> str:
        """As it is sent: without what results were not asked for."""
        return self.model_dump_json(exclude_unset=True)


class Ready(_FromService):
    """The stream is open. Audio beyond `max_seconds` is not heard; answers are at least `interval_ms` apart."""

    type: Literal["ready"]
    max_seconds: float
    interval_ms: int
    request_id: str


class LiveKeywords(_FromService):
    """As in `POST /keywords`; times are seconds from the start of the stream."""

    keywords: list[Keyword]
    words: list[SpokenWord]
    slots: list[Slot]


class Interim(_FromService):
    """What was found in what has been said so far."""

    type: Literal["interim"]
    sequence: int
    seconds: float = Field(description="Of audio that have been heard.")
    searches: dict[str, list[Result]]
    keywords: LiveKeywords | None = Field(description="null where none were asked for.")
    vector: list[float] | None = Field(None, description="What was searched with; there when `include` names it.")
    stable: bool = Field(description="Whether every search has the first result that it had before.")


class Span(_FromService):
    """Seconds from the start of the stream."""

    start: float
    end: float


class Final(_FromService):
    """The answer; nothing comes after it."""

    type: Literal["final"]
    sequence: int
    seconds: float = Field(description="Of audio that have been heard.")
    searches: dict[str, list[Result]]
    keywords: LiveKeywords | None
    vector: list[float] | None = None
    stable: bool
    speech: Span = Field(description="From the first to the last speech; all of the audio where none was found.")
    reason: Reason
    timings_ms: Timings = Field(description="Of this answer; `total` starts when the end was known.")


def read_message(text: str) -> Request:
    """A message of a client. Raises `Malformed` or `InvalidParameter`."""
    if len(text) > MAX_TEXT or text.count(",") > MAX_COMMAS:
        raise Malformed(f"A message of {len(text)} characters is longer, or has more values, than any that is known.")
    try:
        values = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"The message is not JSON: {error}.") from None
    kind = values.get("type") if isinstance(values, dict) else None
    shape = SHAPES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        raise Malformed("A message is a JSON object whose type is start, end or cancel; audio comes in binary ones.")
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        found = details_of(error)
        told = "; ".join(f"{one['field']}: {one['detail']}" for one in found[:3])
        raise InvalidParameter(told, errors=found) from None
