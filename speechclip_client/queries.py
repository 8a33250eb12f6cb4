"""Calls that ask: search, keywords, embed, and what the service says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, SupportsFloat, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel

from speechclip_client.calls import Call, answer, given, path
from speechclip_client.results import Embedding, Found, FoundKeywords, Info, SpokenWord
from speechclip_client.uploads import File, FileBody, JsonBody, upload

M = TypeVar("M", bound=BaseModel)

Include = Literal["uri", "metadata", "vector"]
Vector = Iterable[SupportsFloat]
"""Numbers in any container, a NumPy array among them."""
Filter = Mapping[str, Any]
"""Conditions in the service's own language, such as ``{"metadata.price": {"lt": 20}}``."""

MEDIA = ("audio", "image")
MAX_PARAMETERS = 4096  # characters; a service or a proxy refuses addresses that are much longer


@dataclass(frozen=True, kw_only=True)
class Query:
    """One of several queries in one search: exactly one of audio, image, text, vector and id.

    weight: how much of it there is in the whole; below 0, what is like it comes later.
    """

    audio: File | None = None
    image: File | None = None
    text: str | None = None
    vector: Vector | None = None
    id: str | None = None
    id_in: str | None = None
    branch: str | None = None
    weight: float = 1.0

    def _json(self) -> dict[str, Any]:
        sources = _sources(self.audio, self.image, self.text, self.vector, self.id)
        return _in_json(sources) | given(collection=self.id_in, branch=self.branch) | {"weight": self.weight}


def search(
    collection: str,
    *,
    audio: File | None = None,
    image: File | None = None,
    text: str | None = None,
    vector: Vector | None = None,
    id: str | None = None,
    queries: Iterable[Query] | None = None,
    id_in: str | None = None,
    branch: str | None = None,
    words: float | None = None,
    heard: Iterable[SpokenWord] | None = None,
    filter: Filter | None = None,
    group_by: str | None = None,
    diversity: float | None = None,
    top_k: int | None = None,
    offset: int | None = None,
    min_score: float | None = None,
    include: Iterable[Include] | None = None,
) -> Call[Found]:
    """The records of a collection nearest to exactly one of audio, image, text, vector, id, and several queries.

    id: of a record whose own vector is the query; it is in the collection searched, or in `id_in`.
    branch: of the model, for audio. words: 0 to 1, how much it counts that a record has the words that were heard in
    audio: in its caption, in its metadata `keywords` or in its picture. heard: these words, where the query is the
    vector of an audio: `heard` and `vector` of `FoundKeywords`. filter: what is true of every result.
    group_by: a field; one result for each of its values. diversity: 0 to 1, how much results are to differ. include:
    what each tells beside id, rank, score and caption.
    """
    sources = _sources(audio, image, text, vector, id, queries)
    ranking = given(filter=filter, group_by=group_by, diversity=diversity, top_k=top_k, offset=offset)
    options = ranking | given(branch=branch, words=words, min_score=min_score)
    options |= given(include=None if include is None else list(include))
    options |= given(heard=None if heard is None else [word.model_dump() for word in heard])
    return _query(path("search", collection), Found, sources, options, id_in)


def keywords(
    *,
    audio: File | None = None,
    image: File | None = None,
    text: str | None = None,
    vector: Vector | None = None,
    id: str | None = None,
    queries: Iterable[Query] | None = None,
    id_in: str | None = None,
    branch: str | None = None,
    filter: Filter | None = None,
    group_by: str | None = None,
    diversity: float | None = None,
    top_k: int | None = None,
    offset: int | None = None,
    min_score: float | None = None,
    include_vector: bool = False,
) -> Call[FoundKeywords]:
    """The keywords nearest to a query, and which words were said when, where the model can tell.

    include_vector: whether the answer holds the query's own vector, to search with it. The rest is as in `search`.
    """
    sources = _sources(audio, image, text, vector, id, queries)
    ranking = given(filter=filter, group_by=group_by, diversity=diversity, top_k=top_k, offset=offset)
    options = ranking | given(branch=branch, min_score=min_score, include=["vector"] if include_vector else None)
    return _query(path("keywords"), FoundKeywords, sources, options, id_in)


def embed(
    *, audio: File | None = None, image: File | None = None, text: str | None = None, branch: str | None = None
) -> Call[Embedding]:
    """The unit vector of exactly one of audio, image and text."""
    return _query(path("embed"), Embedding, _sources(audio, image, text), given(branch=branch), None)


def info() -> Call[Info]:
    """The service's version, model, collections and limits."""
    return Call("GET", path("info"), answer(Info))


def readiness() -> Call[bool]:
    """True, or one of the refusals of a service that is not ready."""
    return Call("GET", path("readyz"), lambda _: True)


def _query(where: str, shape: type[M], sources: dict[str, Any], options: dict[str, Any], id_in: str | None) -> Call[M]:
    """A file alone is sent as it is; whatever else, as JSON."""
    ((name, value),) = sources.items()
    if name in MEDIA and id_in is None and "heard" not in options:
        params = {key: _as_text(option) for key, option in options.items()}
        if len(urlencode(params)) <= MAX_PARAMETERS:
            return Call("POST", where, answer(shape), params=params, body=FileBody(upload(value), f"{name}/*"))
    return Call("POST", where, answer(shape), body=JsonBody(_in_json(sources) | options | given(collection=id_in)))


def _sources(
    audio: File | None,
    image: File | None,
    text: str | None,
    vector: Vector | None = None,
    id: str | None = None,
    queries: Iterable[Query] | None = None,
) -> dict[str, Any]:
    """The one that there is; raises TypeError for none, and for several."""
    sources = given(audio=audio, image=image, text=text, vector=vector, id=id, queries=queries)
    if len(sources) != 1:
        raise TypeError(f"give exactly one query; got {', '.join(sources) or 'none'}")
    return sources


def _in_json(sources: dict[str, Any]) -> dict[str, Any]:
    ((name, value),) = sources.items()
    match name:
        case "audio" | "image":
            return {name: {"data": upload(value)}}
        case "vector":
            return {name: [float(number) for number in value]}
        case "queries":
            return {name: [query._json() for query in value]}
        case _:
            return {name: value}


def _as_text(option: object) -> str:
    match option:
        case list():
            return ",".join(option)
        case Mapping():
            return json.dumps(option, allow_nan=False, separators=(",", ":"))
        case _:
            return str(option)
