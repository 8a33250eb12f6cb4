"""`/search/...`, `/keywords`, `/embed` and `/explain`: one query in, the nearest records, a vector or a reason out."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from app.http.patience import while_wanted
from app.openapi import QUERY_PROBLEMS, problem_responses, query_request
from app.query.combining import find_combined
from app.query.embedding import Embedded, embed, find_vector
from app.query.explaining import explain
from app.query.heard import NOTHING, Heard, heard, heard_in
from app.query.keywords import MOST_WORDS_OF_A_SLOT, SCORE_DIGITS, Vocabulary
from app.query.nearest import Page, keyword_of, page_of, result_of, vectors_of
from app.query.queries import read_query
from app.query.requests import KEYWORDS, EmbedQuery, ExplainQuery, KeywordQuery, MediaQuery, NearestQuery, SearchQuery
from app.schemas import (
    CollectionInfo,
    EmbedResponse,
    EmbedTimings,
    ExplainResponse,
    KeywordsResponse,
    ModelInfo,
    PicturePart,
    SearchResponse,
    Timings,
)
from app.state import Loaded, State, state_of
from app.stopwatch import Stopwatch
from index.backend import Collection
from index.errors import CollectionNotFound, ModelMismatch

REVISION_CHARACTERS = 12

router = APIRouter(tags=["search"])

Q = TypeVar("Q", bound=MediaQuery)


class _Call:
    """One query on its way: who asks, of what, and how long it has taken."""

    def __init__(self, request: Request, state: State, loaded: Loaded) -> None:
        self.state, self.loaded = state, loaded
        self.request_id: str = request.state.request_id
        self.watch = request.state.watch = Stopwatch(state.metrics, state.traces)
        encoder = loaded.engine.encoder
        self.model = ModelInfo(name=encoder.name, revision=encoder.fingerprint[:REVISION_CHARACTERS], dim=encoder.dim)


@router.post(
    "/search/images",
    summary="Find images",
    response_model=SearchResponse,
    responses=problem_responses(QUERY_PROBLEMS),
    openapi_extra=query_request(SearchQuery),
)
async def search_images(request: Request) -> Response:
    """The images nearest to what was said, shown or typed."""
    return await _answer(request, SearchQuery, partial(_search, "images"))


@router.post(
    "/search/captions",
    summary="Find captions",
    response_model=SearchResponse,
    responses=problem_responses(QUERY_PROBLEMS),
    openapi_extra=query_request(SearchQuery),
)
async def search_captions(request: Request) -> Response:
    """The captions nearest to what was said, shown or typed."""
    return await _answer(request, SearchQuery, partial(_search, "captions"))


@router.post(
    "/search/{collection}",
    summary="Find records of any collection",
    response_model=SearchResponse,
    responses=problem_responses(QUERY_PROBLEMS),
    openapi_extra=query_request(SearchQuery),
)
async def search(request: Request, collection: Annotated[str, Path(description="Its name.")]) -> Response:
    """The records of a collection nearest to what was said, shown or typed."""
    return await _answer(request, SearchQuery, partial(_search, collection))


@router.post(
    "/keywords",
    summary="Find keywords",
    response_model=KeywordsResponse,
    responses=problem_responses(QUERY_PROBLEMS),
    openapi_extra=query_request(KeywordQuery),
)
async def keywords(request: Request) -> Response:
    """The keywords nearest to what was said, from the collection `keywords`; the speech is not transcribed.

    A model with keyword slots also tells which words were said when: `words` over all slots, and `slots` one by one.
    """
    return await _answer(request, KeywordQuery, _keywords)


@router.post(
    "/embed",
    summary="Get a vector",
    response_model=EmbedResponse,
    responses=problem_responses(QUERY_PROBLEMS),
    openapi_extra=query_request(EmbedQuery),
)
async def embed_query(request: Request) -> Response:
    """The unit vector of audio, an image or a text, in the space that all of them share."""
    return await _answer(request, EmbedQuery, _embed)


@router.post(
    "/explain/{collection}/{id:path}",
    summary="Show why a picture was found",
    response_model=ExplainResponse,
    responses=problem_responses(QUERY_PROBLEMS),
    openapi_extra=query_request(ExplainQuery),
)
async def explain_picture(
    request: Request,
    collection: Annotated[str, Path(description="Its name.")],
    id: Annotated[str, Path(description="The record's id; it may contain slashes.")],
) -> Response:
    """Which part of a record's picture makes it an answer to the query: parts of it are covered, one after the other,
    and the drop of the score is told for each."""
    return await _answer(request, ExplainQuery, partial(_explain, collection, id))


async def _search(name: str, call: _Call, query: SearchQuery) -> SearchResponse:
    # Collections are looked up first, so that a wrong name costs nothing.
    collection = await _collection(name, call)
    if query.words and query.audio and "cascaded" in call.loaded.engine.encoder.branches:
        await _collection(KEYWORDS, call)
    embedded = await find_combined(call.state, call.loaded, query, name, call.watch, keywords=query.words > 0)
    page = await _page(call, collection, embedded, query, await _heard(call, query, embedded))
    wanted = page.hits if "vector" in query.include else []
    vectors = await call.state.searching.run(vectors_of, collection, wanted) if wanted else {}
    results = [
        result_of(hit, rank, query.include, vectors.get(hit.record.id))
        for rank, hit in enumerate(page.hits, start=query.offset + 1)
    ]
    return SearchResponse(
        results=results,
        **_caps(page),
        query=embedded.info,
        model=call.model,
        collection=_describe(collection),
        timings_ms=Timings.model_validate(call.watch.milliseconds()),
        request_id=call.request_id,
    )


async def _keywords(call: _Call, query: KeywordQuery) -> KeywordsResponse:
    collection = await _collection(KEYWORDS, call)
    embedded = await find_combined(call.state, call.loaded, query, KEYWORDS, call.watch, keywords=True)
    page = await _page(call, collection, embedded, query)
    spoken, _ = await call.loaded.vocabularies.spoken(
        embedded.slots, collection, call.state.searching, query.top_k, query.offset, query.min_score
    )
    found = [keyword_of(hit, rank) for rank, hit in enumerate(page.hits, start=query.offset + 1)]
    asked = {"vector": embedded.vector.tolist()} if "vector" in query.include else {}
    return KeywordsResponse(
        keywords=found,
        words=spoken.words,
        slots=spoken.slots,
        **_caps(page),
        **asked,
        query=embedded.info,
        model=call.model,
        collection=_describe(collection),
        timings_ms=Timings.model_validate(call.watch.milliseconds()),
        request_id=call.request_id,
    )


async def _heard(call: _Call, query: SearchQuery, embedded: Embedded) -> Heard:
    """The words of the query: those that came with its vector, or those of its slots. Raises `CollectionNotFound`."""
    searching = call.state.searching
    if query.heard and query.words:
        told = [(one.slot, one.word, one.score) for one in query.heard]
        return await searching.run(heard, query.words, told, await _vocabulary(call))
    if not embedded.slots:
        return NOTHING
    collection = await _collection(KEYWORDS, call)
    spoken, vocabulary = await call.loaded.vocabularies.spoken(
        embedded.slots, collection, searching, MOST_WORDS_OF_A_SLOT
    )
    return heard_in(query.words, spoken.slots, vocabulary)


async def _vocabulary(call: _Call) -> Vocabulary | None:
    """None for a model without slots, and where it cannot be had: words from elsewhere have texts all the same."""
    if "cascaded" not in call.loaded.engine.encoder.branches:
        return None
    try:
        collection = await _collection(KEYWORDS, call)
    except (CollectionNotFound, ModelMismatch):
        return None
    return await call.loaded.vocabularies.of(collection, call.state.searching)


async def _embed(call: _Call, query: EmbedQuery) -> EmbedResponse:
    embedded = await embed(call.state, call.loaded, query, call.watch)
    return EmbedResponse(
        vector=embedded.vector.tolist(),
        query=embedded.info,
        model=call.model,
        timings_ms=EmbedTimings.model_validate(call.watch.milliseconds()),
        request_id=call.request_id,
    )


async def _explain(name: str, id: str, call: _Call, query: ExplainQuery) -> ExplainResponse:
    collection = await _collection(name, call)
    embedded = await find_vector(call.state, call.loaded, query, name, call.watch)
    found = await explain(call.state, call.loaded, collection, id, embedded.vector, call.watch)
    return ExplainResponse(
        score=round(found.score, SCORE_DIGITS),
        drops=found.drops.round(SCORE_DIGITS).tolist(),
        part=PicturePart.model_validate(asdict(found.part)),
        query=embedded.info,
        model=call.model,
        collection=_describe(collection),
        timings_ms=Timings.model_validate(call.watch.milliseconds()),
        request_id=call.request_id,
    )


async def _page(
    call: _Call, collection: Collection, embedded: Embedded, query: NearestQuery, heard: Heard = NOTHING
) -> Page:
    look = partial(page_of, collection, embedded.vector, query, heard)
    return await call.watch.run("search", call.state.searching, look)


async def _collection(name: str, call: _Call) -> Collection:
    """Raises `CollectionNotFound`, and `ModelMismatch` for vectors of another model."""
    collection = call.loaded.catalogue.find(name)
    if collection is None:
        collection = await call.state.searching.run(call.loaded.catalogue.get, name)
    collection.require(call.loaded.engine.encoder.fingerprint)
    return collection


def _caps(page: Page) -> dict[str, bool]:
    """Unset, and so not in the answer, for what knows no cap."""
    return {} if page.capped is None else {"capped": page.capped}


def _describe(collection: Collection) -> CollectionInfo:
    return CollectionInfo(name=collection.name, version=collection.version, count=collection.count)


async def _answer(
    request: Request, shape: type[Q], handle: Callable[[_Call, Q], Coroutine[None, None, BaseModel]]
) -> Response:
    """Read the query, and answer it within the deadline and only as long as somebody waits for the answer."""
    state = state_of(request)
    loaded = state.loaded()
    query = await read_query(request, shape)
    call = _Call(request, state, loaded)
    answer = await while_wanted(request, handle(call, query), state.settings.deadline_s)
    body = answer.model_dump_json(exclude_unset=True)
    call.watch.answered()
    return Response(body, media_type="application/json")
