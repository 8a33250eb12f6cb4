"""`/v1/embeddings`: vectors for programs that were made for OpenAI's service."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from pydantic_core import from_json

from app.errors import (
    EncodingFailed,
    InvalidParameter,
    ItemsRefused,
    Malformed,
    ModelNotFound,
    UnsupportedMedia,
    details_of,
)
from app.http.patience import while_wanted
from app.openai import MAX_INPUTS, EmbeddingObject, EmbeddingsRequest, EmbeddingsResponse, Usage
from app.openapi import QUERY_PROBLEMS, REF, problem_responses
from app.query.embedding import Vector, embed, embed_admitted
from app.query.requests import EmbedQuery
from app.state import Loaded, State, state_of
from app.stopwatch import Stopwatch
from models.errors import AudioError, ImageError

# Texts have commas too; millions of small values take seconds to read.
MAX_COMMAS = 50 * MAX_INPUTS
REFUSALS = (AudioError, ImageError, EncodingFailed)

router = APIRouter(tags=["search"])

BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": REF.format(model=EmbeddingsRequest.__name__)}}},
    }
}


@router.post(
    "/embeddings",
    summary="Get vectors in the OpenAI shape",
    response_model=EmbeddingsResponse,
    responses=problem_responses(QUERY_PROBLEMS),
    openapi_extra=BODY,
)
async def embeddings(request: Request) -> Response:
    """The unit vectors of texts, images and audio. Errors are problems, as everywhere here."""
    state = state_of(request)
    loaded = state.loaded()
    body = await _json_body(request)
    asked = await state.decoding.run(_read, body)
    _check(asked, loaded)
    watch = request.state.watch = Stopwatch(state.metrics, state.traces)
    vectors = await while_wanted(request, _embed_all(state, loaded, asked.queries(), watch), state.settings.deadline_s)
    # Off the event loop: it may be a million numbers.
    answer = await state.searching.run(_answer, loaded.engine.encoder.name, vectors, asked.encoding_format == "base64")
    watch.answered()
    return Response(answer, media_type="application/json")


async def _json_body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMedia("This path takes JSON alone, with Content-Type: application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Compressed bodies are not read; send the JSON as it is.")
    return await request.body()


def _read(body: bytes) -> EmbeddingsRequest:
    if body.count(b",") > MAX_COMMAS:
        raise Malformed("The body is JSON with more values than any list of inputs has.")
    try:
        return EmbeddingsRequest.model_validate(from_json(body, allow_inf_nan=False))
    except ValidationError as error:
        found = details_of(error)
        told = "; ".join(
            f"{one['field']}: {one['detail']}" if one["field"] else str(one["detail"]) for one in found[:3]
        )
        raise InvalidParameter(told, errors=found) from None
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}.") from None


def _check(asked: EmbeddingsRequest, loaded: Loaded) -> None:
    encoder = loaded.engine.encoder
    if asked.model is not None and asked.model != encoder.name:
        raise ModelNotFound(f"model: there is no {asked.model!r} here; the service's model is {encoder.name!r}")
    if asked.dimensions is not None and asked.dimensions != encoder.dim:
        raise InvalidParameter(f"dimensions: vectors of this model have {encoder.dim} numbers, and no others")


async def _embed_all(state: State, loaded: Loaded, queries: Sequence[EmbedQuery], watch: Stopwatch) -> list[Vector]:
    """One is a query like any other; many are a batch, of which a group at a time stands beside the queries."""
    if len(queries) == 1:
        return [(await embed(state, loaded, queries[0], watch)).vector]
    vectors: list[Vector] = []
    size = state.settings.batch_size
    with state.batches.hold():
        for start in range(0, len(queries), size):
            async with state.batch_turn:
                vectors += await _embed_group(state, loaded, queries[start : start + size], start, watch)
    return vectors


async def _embed_group(
    state: State, loaded: Loaded, queries: Sequence[EmbedQuery], start: int, watch: Stopwatch
) -> list[Vector]:
    """Raises `ItemsRefused` with the place of an input that cannot be embedded."""
    work = [embed_admitted(state, loaded, query, watch) for query in queries]
    vectors: list[Vector] = []
    for place, one in enumerate(await asyncio.gather(*work, return_exceptions=True), start):
        if isinstance(one, REFUSALS):
            field = f"input.{place}"
            raise ItemsRefused(f"{field}: {one}", one, [{"field": field, "detail": str(one)}])
        if isinstance(one, BaseException):
            raise one
        vectors.append(one.vector)
    return vectors


def _answer(model: str, vectors: Sequence[Vector], packed: bool) -> str:
    told = [base64.b64encode(one.astype("<f4").tobytes()).decode() if packed else one.tolist() for one in vectors]
    data = [EmbeddingObject(object="embedding", index=place, embedding=one) for place, one in enumerate(told)]
    return EmbeddingsResponse(object="list", data=data, model=model, usage=Usage()).model_dump_json()
