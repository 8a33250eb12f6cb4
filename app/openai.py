"""The shapes of `/v1/embeddings`, as OpenAI's clients send and expect them, with images and audio beside texts."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from app.query.requests import MAX_FIELDS, MAX_TEXT, Base64, EmbedQuery, Media

MAX_INPUTS = 2048

_PART_TYPES = ("text", "image_url", "input_audio", "audio_url")
_MEDIA_TYPES = ("data:image/", "data:audio/")
_WHAT = f"is neither a text nor a part of type {', '.join(_PART_TYPES)}; tokens are not taken"


def _from_data_url(value: object) -> object:
    if not isinstance(value, str):
        return value
    head, comma, data = value.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        raise ValueError("is not data:TYPE;base64,... and nothing is fetched from other places")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None


def _as_object(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


DataUrl = Annotated[
    bytes,
    BeforeValidator(_from_data_url),
    Field(min_length=1),
    WithJsonSchema({"type": "string", "format": "uri", "description": "data:TYPE;base64,... with the whole file."}),
]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, values: object) -> object:
        if isinstance(values, dict) and len(values) > MAX_FIELDS:
            raise ValueError(f"has {len(values)} fields")
        return values


class TextPart(_Shape):
    type: Literal["text"]
    text: str = Field(min_length=1, max_length=MAX_TEXT, pattern=r"\S")

    def query(self) -> EmbedQuery:
        return EmbedQuery(text=self.text)


class ImageUrl(_Shape):
    url: DataUrl
    detail: str | None = Field(None, max_length=64, description="Has no effect.")


class ImagePart(_Shape):
    type: Literal["image_url"]
    image_url: Annotated[ImageUrl, BeforeValidator(_as_object)]

    def query(self) -> EmbedQuery:
        return EmbedQuery(image=Media(data=self.image_url.url))


class InputAudio(_Shape):
    data: Base64 = Field(min_length=1)
    format: str | None = Field(None, max_length=64, description="Has no effect: it is read from the bytes.")


class InputAudioPart(_Shape):
    type: Literal["input_audio"]
    input_audio: InputAudio

    def query(self) -> EmbedQuery:
        return EmbedQuery(audio=Media(data=self.input_audio.data))


class AudioUrl(_Shape):
    url: DataUrl


class AudioUrlPart(_Shape):
    type: Literal["audio_url"]
    audio_url: Annotated[AudioUrl, BeforeValidator(_as_object)]

    def query(self) -> EmbedQuery:
        return EmbedQuery(audio=Media(data=self.audio_url.url))


def _type(part: Any) -> str | None:
    """Which part it is, for pydantic, of values and of JSON."""
    kind = part.get("type") if isinstance(part, dict) else getattr(part, "type", None)
    return kind if isinstance(kind, str) else None


Part: TypeAlias = Annotated[
    Annotated[TextPart, Tag("text")]
    | Annotated[ImagePart, Tag("image_url")]
    | Annotated[InputAudioPart, Tag("input_audio")]
    | Annotated[AudioUrlPart, Tag("audio_url")],
    Discriminator(_type, custom_error_type="input", custom_error_message=_WHAT),
]


def _one_or_many(schema: dict[str, Any]) -> None:
    """A text or a part alone stands for a list of one."""
    part = {"anyOf": [{"type": "string"}, schema.pop("items")]}
    many = {"type": "array", "items": part} | {name: schema.pop(name) for name in ("minItems", "maxItems")}
    del schema["type"]
    schema["anyOf"] = [*part["anyOf"], many]


class EmbeddingsRequest(_Shape):
    """What `/v1/embeddings` takes."""

    input: list[Part] = Field(
        min_length=1,
        max_length=MAX_INPUTS,
        fail_fast=True,
        description="A text, a part, or a list of them. A text that is a data: URL of an image or audio is that.",
        json_schema_extra=_one_or_many,
    )
    model: str | None = Field(None, max_length=256, description="The service's model by its name; no other is there.")
    modality: Literal["text", "image", "audio"] | None = Field(
        None, description="What all inputs are that are given as texts: texts, or data: URLs of images or audio."
    )
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="Numbers, or the base64 of their 32-bit floats, least significant byte first."
    )
    dimensions: int | None = Field(None, description="If given, it must be what the model's vectors have.")
    user: str | None = Field(None, max_length=256, description="Has no effect.")

    @model_validator(mode="before")
    @classmethod
    def _parts(cls, values: object) -> object:
        """Every input as a part; what is none is left to the validation that follows."""
        if not isinstance(values, dict) or "input" not in values:
            return values
        given = values["input"]
        listed = given if isinstance(given, list) else [given]
        if len(listed) > MAX_INPUTS:
            raise ValueError(f"input has {len(listed)} elements; {MAX_INPUTS} are the most")
        modality = values.get("modality")
        return {**values, "input": [_part(one, modality) for one in listed]}

    def queries(self) -> list[EmbedQuery]:
        """The inputs as queries of one vector each."""
        return [part.query() for part in self.input]


class EmbeddingObject(BaseModel):
    object: Literal["embedding"]
    index: int = Field(description="The place of the input, from 0.")
    embedding: list[float] | str = Field(description="Of unit length.")


class Usage(BaseModel):
    """Always 0: the service counts no tokens."""

    prompt_tokens: int = 0
    total_tokens: int = 0


class EmbeddingsResponse(BaseModel):
    object: Literal["list"]
    data: list[EmbeddingObject]
    model: str
    usage: Usage


def _part(value: object, modality: object) -> object:
    if not isinstance(value, str):
        return value
    is_media_url = modality is None and value[:11].lower().startswith(_MEDIA_TYPES)
    kind = value[5:10].lower() if is_media_url else modality
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": value}}
    if kind == "audio":
        return {"type": "audio_url", "audio_url": {"url": value}}
    return {"type": "text", "text": value}
