"""`speechclip search` and `speechclip keywords`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray
from PIL.Image import Image

from app.cli.errors import CommandError
from app.cli.local import searchable
from app.cli.plain import plain
from app.cli.terminal import print_json, print_table, stderr
from app.errors import InvalidParameter
from app.media import TYPES
from app.query.embedding import require_branch
from app.query.heard import NOTHING, heard_in
from app.query.keywords import (
    MOST_WORDS_OF_A_SLOT,
    NO_WORDS,
    SCORE_DIGITS,
    Vocabulary,
    spoken_keywords,
    texts_of,
)
from app.query.nearest import page_of
from app.query.queries import sniff, validated
from app.query.requests import KEYWORDS, MediaQuery, SearchQuery, filter_of
from app.routes.search import REVISION_CHARACTERS
from app.schemas import QueryInfo, SpokenKeywords
from app.settings import Settings
from index.backend import Collection
from index.filters import Filter
from index.ranking import Hit
from models.audio import decode
from models.branches.keywords import KeywordSlot
from models.config import Branch
from models.images import decode_image
from models.protocol import Encoder

Payload = NDArray[np.float32] | Image | str


@dataclass(frozen=True)
class _Decoded:
    payload: Payload
    info: QueryInfo
    seconds: float
    """How long it took."""


@dataclass(frozen=True)
class _Answer:
    """The hits, best first, what keyword slots tell, and `about`: all else of the service's answers but their id."""

    hits: list[Hit]
    spoken: SpokenKeywords
    about: dict[str, object]


def search(query: str, name: str, branch: Branch | None, asked: SearchQuery, settings: Settings, as_json: bool) -> None:
    """Print the nearest records of a collection. What is printed as JSON is that of `POST /search/{collection}`."""
    answer = _ask(query, name, branch, asked, settings)
    rows = [(rank, f"{hit.score:.3f}", hit.record.id, *_told(hit)) for rank, hit in enumerate(answer.hits, start=1)]
    if as_json:
        print_json({"results": [_result(rank, hit) for rank, hit in enumerate(answer.hits, start=1)], **answer.about})
    else:
        print_table(("#", "score", "id", "caption", "uri"), rows)


def asked(top_k: int, words: float = 0.0, where: str | None = None) -> SearchQuery:
    """What is asked of a collection; `where` is a filter's JSON. Raises `CommandError` for one that is none."""
    return SearchQuery.model_construct(top_k=top_k, words=words, filter=_where(where))


def keywords(query: str, top_k: int, branch: Branch | None, settings: Settings, as_json: bool) -> None:
    """Print the nearest keywords, and the words heard one by one; the JSON is that of `POST /keywords`."""
    answer = _ask(query, KEYWORDS, branch, asked(top_k), settings, keywords=True)
    found = [(hit.record.caption or hit.record.id, hit.score) for hit in answer.hits]
    if as_json:
        listed = [
            {"keyword": keyword, "score": round(score, SCORE_DIGITS), "rank": rank}
            for rank, (keyword, score) in enumerate(found, start=1)
        ]
        print_json({"keywords": listed, **answer.spoken.model_dump(), **answer.about})
        return
    print_table(
        ("#", "score", "keyword"),
        [(rank, f"{score:.3f}", keyword) for rank, (keyword, score) in enumerate(found, start=1)],
    )
    if answer.spoken.words:
        _print_words(answer.spoken)


def _print_words(spoken: SpokenKeywords) -> None:
    typer.echo()
    rows = [
        (rank, f"{one.score:.3f}", one.word, f"{one.start:.2f} to {one.end:.2f} s", one.slot)
        for rank, one in enumerate(spoken.words, start=1)
    ]
    print_table(("#", "score", "word", "said at", "slot"), rows)


def _ask(
    query: str, name: str, branch: Branch | None, asked: SearchQuery, settings: Settings, *, keywords: bool = False
) -> _Answer:
    decoded = _decode(_read(query, branch, settings.max_body_bytes), settings.max_seconds)
    if decoded.info.truncated:
        stderr().print(f"{plain(query)} broke off; what could be decoded is used")
    hears = keywords or (asked.words > 0 and decoded.info.kind == "audio")
    with searchable(name, settings, words=hears) as (encoder, collections):
        require_branch(encoder, branch)
        collection = collections[name]
        encoding_at = time.perf_counter()
        vector, slots = embed(encoder, decoded.payload, branch, hears)
        searching_at = time.perf_counter()
        spoken, words = NO_WORDS, NOTHING
        if slots and (vocabulary := _vocabulary(encoder, collections[KEYWORDS])):
            spoken = spoken_keywords(slots, vocabulary, asked.top_k if keywords else MOST_WORDS_OF_A_SLOT)
            words = heard_in(asked.words, spoken.slots, vocabulary)
        hits = page_of(collection, vector[0], asked, words).hits
        seconds = {
            "decode": decoded.seconds,
            "queue": 0.0,
            "encode": searching_at - encoding_at,
            "search": time.perf_counter() - searching_at,
        }
        about = {"query": decoded.info.model_dump(exclude_unset=True), **_about(encoder, collection, seconds)}
        return _Answer(hits, spoken, about)


def _vocabulary(encoder: Encoder, collection: Collection) -> Vocabulary | None:
    """None for a model without slots."""
    texts, vectors = texts_of(collection)
    directions = encoder.slot_words(texts)
    return None if directions is None else Vocabulary.of(texts, directions, vectors)


def _where(text: str | None) -> Filter | None:
    try:
        return None if text is None else filter_of(text)
    except ValueError as error:
        raise CommandError(f"the filter cannot be used: {error}") from None


def _read(query: str, branch: Branch | None, most_bytes: int) -> MediaQuery:
    """The argument as a query: a file that is there, stdin for "-", or else a text."""
    try:
        return validated(MediaQuery, {**source_of(query, most_bytes, "SPEECHCLIP_MAX_BODY_BYTES"), "branch": branch})
    except InvalidParameter as error:
        raise CommandError(f"the query cannot be used: {error}") from None


def source_of(query: str, most_bytes: int, setting: str) -> dict[str, object]:
    """What an argument names: a file that is there, stdin for "-", or else a text. setting: whose limit it is."""
    try:
        if query == "-":
            return _media(typer.get_binary_stream("stdin").read(most_bytes + 1), most_bytes, setting)
        path = Path(query)
        if _is_there(path):
            with path.open("rb") as file:
                return _media(file.read(most_bytes + 1), most_bytes, setting)
    except OSError as error:
        raise CommandError(f"{query} cannot be read: {error.strerror or error}") from None
    if path.suffix.lower() in TYPES:
        raise CommandError(f"there is no file {query}")
    return {"text": query}


def _is_there(path: Path) -> bool:
    """Pipes count; folders do not, because a word can be the name of one."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # longer than a name can be, or with NUL in it
        return False


def _media(data: bytes, most_bytes: int, setting: str) -> dict[str, object]:
    if not data:
        raise CommandError("there are no bytes in it: it is empty")
    if len(data) > most_bytes:
        raise CommandError(f"there are more than the {most_bytes} bytes of {setting}")
    return {sniff(data): {"data": data}}


def _decode(query: MediaQuery, max_seconds: float) -> _Decoded:
    started_at = time.perf_counter()
    payload: Payload = query.text or ""
    info = QueryInfo(kind="text", format=None, seconds=None, truncated=False)
    if query.audio is not None:
        wave = decode(query.audio.data, max_seconds)
        payload = wave.samples
        info = QueryInfo(kind="audio", format=wave.format, seconds=round(wave.seconds, 3), truncated=wave.truncated)
    elif query.image is not None:
        payload, name = decode_image(query.image.data)
        info = QueryInfo(kind="image", format=name, seconds=None, truncated=False)
    return _Decoded(payload, info, time.perf_counter() - started_at)


def embed(
    encoder: Encoder, payload: Payload, branch: Branch | None = None, keywords: bool = False
) -> tuple[NDArray[np.float32], Sequence[KeywordSlot]]:
    """The vector (1, E) of one query or item, and its keyword slots where they are wanted."""
    if isinstance(payload, str):
        return encoder.embed_texts([payload]), ()
    if isinstance(payload, Image):
        return encoder.embed_images([payload]), ()
    found = encoder.embed_speech([payload], branch, keywords)
    return found.vectors, found.keywords[0] if found.keywords else ()


def _about(encoder: Encoder, collection: Collection, seconds: dict[str, float]) -> dict[str, object]:
    milliseconds = {stage: round(1000 * value, 2) for stage, value in seconds.items()}
    return {
        "model": {"name": encoder.name, "revision": encoder.fingerprint[:REVISION_CHARACTERS], "dim": encoder.dim},
        "collection": {"name": collection.name, "version": collection.version, "count": collection.count},
        "timings_ms": milliseconds | {"total": round(1000 * sum(seconds.values()), 2)},
    }


def _told(hit: Hit) -> tuple[str, str]:
    """Caption and uri, where they say more than the id does."""
    record = hit.record
    return "" if record.caption in (None, record.id) else str(record.caption), "" if record.uri in (
        None,
        record.id,
    ) else str(record.uri)


def _result(rank: int, hit: Hit) -> dict[str, object]:
    record = hit.record
    return {
        "id": record.id,
        "rank": rank,
        "score": round(hit.score, SCORE_DIGITS),
        "caption": record.caption,
        "uri": record.uri,
        "metadata": dict(record.metadata),
    }
