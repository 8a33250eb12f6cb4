"""`/collections` and `/media`: what there is to find, and the files behind it; collections made and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import FileResponse
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from app.errors import CollectionBusy, InvalidParameter
from app.http.hosts import from_own_page
from app.keeping.items import NewCollection
from app.media import MEDIA_POLICY, UNKNOWN_TYPE, media_file
from app.openapi import file_responses, problem_responses
from app.schemas import CollectionDetails, CollectionsResponse
from app.state import Loaded, state_of
from index.backend import Collection
from index.errors import CollectionError, InvalidName

MEDIA_CACHE = "private, max-age=3600"

EXACT = "FLAT"  # every vector is compared; so called here and by Milvus

_CACHED = StaticFiles()
"""Knows what the headers of a client that has the file already mean."""

router = APIRouter(tags=["collections"])


@router.get("/collections", summary="List the collections", responses=problem_responses((503,)))
async def list_collections(request: Request) -> CollectionsResponse:
    """Every collection, those that cannot be used among them, with the reason."""
    state = state_of(request)
    loaded = state.loaded()
    await _look_around(loaded)
    return CollectionsResponse(collections=await asyncio.to_thread(describe_all, loaded, measured))


@router.get("/collections/{name}", summary="Describe one collection", responses=problem_responses((404, 422, 503)))
async def describe_collection(request: Request, name: str) -> CollectionDetails:
    """One collection; whether it can be searched, and if not, why."""
    state = state_of(request)
    loaded = state.loaded()
    await _look_around(loaded)
    catalogue = loaded.catalogue
    try:
        collection = await state.searching.run(catalogue.get, name)
        # In no thread of searches, which are few: a first look at a million files takes seconds.
        return await asyncio.to_thread(measured, collection)
    except CollectionBusy as error:
        return opening(name, error)
    except CollectionError as error:
        if name in catalogue.failed:
            return unavailable(name, error)
        raise


@router.put(
    "/collections/{name}",
    summary="Make a collection",
    status_code=201,
    dependencies=[Depends(from_own_page)],
    responses={
        200: {"model": CollectionDetails, "description": "It was there already, and is just that."},
        **problem_responses((400, 403, 409, 413, 422, 429, 503)),
    },
)
async def make_collection(
    request: Request, response: Response, name: str, wanted: NewCollection | None = None
) -> CollectionDetails:
    """Make an empty collection for vectors of this service's model. One that is there already stays as it is."""
    state = state_of(request)
    loaded = state.loaded()
    encoder, kind = loaded.engine.encoder, (wanted or NewCollection()).kind
    make = partial(loaded.catalogue.create, name, kind, encoder.dim, encoder.fingerprint)
    try:
        collection, new = await state.writing.run(make)
    except InvalidName as error:
        raise InvalidParameter(f"name: {error}") from None
    response.status_code = 201 if new else 200
    return await state.searching.run(measured, collection)


@router.delete(
    "/collections/{name}",
    summary="Delete a collection",
    status_code=204,
    dependencies=[Depends(from_own_page)],
    responses=problem_responses((403, 404, 422, 429, 503)),
)
async def delete_collection(request: Request, name: str) -> Response:
    """Delete a collection, damaged or not, with its records and the media that it keeps; not media of elsewhere."""
    state = state_of(request)
    await state.writing.run(state.loaded().catalogue.delete, name)
    return Response(status_code=204)


@router.get(
    "/media/{collection}/{id:path}",
    summary="Get the file behind a record",
    response_class=FileResponse,
    responses={
        **file_responses("*/*"),
        304: {"description": "It is as the client has it: `If-None-Match`, `If-Modified-Since`"},
        **problem_responses((404, 416, 422, 503)),
    },
)
async def media(
    request: Request, collection: str, id: Annotated[str, Path(description="The record's id; it may contain slashes.")]
) -> Response:
    """The image or audio behind a record, from below the collection's media root; parts of it by `Range`."""
    state = state_of(request)
    found = await state.searching.run(state.loaded().catalogue.get, collection)
    path, media_type, status = await state.searching.run(media_file, found, id)
    response = FileResponse(
        path,
        media_type=media_type,
        filename=path.name,
        stat_result=status,
        content_disposition_type="attachment" if media_type == UNKNOWN_TYPE else "inline",
        headers={"Cache-Control": MEDIA_CACHE, "Content-Security-Policy": MEDIA_POLICY},
    )
    known = _CACHED.is_not_modified(response.headers, request.headers)
    return NotModifiedResponse(response.headers) if known else response


async def _look_around(loaded: Loaded) -> None:
    if loaded.catalogue.shared:
        await asyncio.to_thread(loaded.catalogue.look_around)


def describe_all(loaded: Loaded, one: Callable[[Collection], CollectionDetails]) -> list[CollectionDetails]:
    """By name; nothing is opened for it."""
    catalogue = loaded.catalogue
    found = {name: unavailable(name, error) for name, error in catalogue.failed.items()}
    found |= {name: opening(name, CollectionBusy(name)) for name in catalogue.busy}
    found |= {name: one(collection) for name, collection in catalogue.collections.items()}
    return [found[name] for name in sorted(found)]


def measured(collection: Collection) -> CollectionDetails:
    """The same with its sizes, for which files are looked at. Raises `StorageFailed`."""
    sizes = {"bytes": collection.size(), "media_bytes": collection.media_size()}
    return describe(collection).model_copy(update=sizes)


def describe(collection: Collection) -> CollectionDetails:
    return CollectionDetails(
        name=collection.name,
        status="ready",
        kind=collection.kind,
        version=collection.version,
        count=collection.count,
        dim=collection.dim,
        model=collection.fingerprint,
        recipe=collection.recipe,
        recall=_recall(collection),
    )


def _recall(collection: Collection) -> float | None:
    if collection.built is not None:
        return collection.built.recall
    return 1.0 if collection.recipe.upper() == EXACT else None


def opening(name: str, error: CollectionBusy) -> CollectionDetails:
    return CollectionDetails(name=name, status="opening", detail=str(error))


def unavailable(name: str, error: CollectionError) -> CollectionDetails:
    return CollectionDetails(name=name, status="unavailable", detail=str(error))
