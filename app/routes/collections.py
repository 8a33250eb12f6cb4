"""`/collections` and `/media`: what there is to find, and the files behind it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse

from app.media import MEDIA_POLICY, UNKNOWN_TYPE, media_file
from app.openapi import problem_responses
from app.schemas import CollectionDetails, CollectionsResponse
from app.state import Loaded, state_of
from index.collection import Collection
from index.errors import CollectionError

MEDIA_CACHE = "private, max-age=3600"

router = APIRouter(tags=["collections"])


@router.get("/collections", summary="List the collections", responses=problem_responses((503,)))
async def list_collections(request: Request) -> CollectionsResponse:
    """Every collection, those that cannot be used among them, with the reason."""
    return CollectionsResponse(collections=describe_all(state_of(request).loaded()))


@router.get("/collections/{name}", summary="Describe one collection", responses=problem_responses((404, 422, 503)))
async def describe_collection(request: Request, name: str) -> CollectionDetails:
    """One collection; whether it can be searched, and if not, why."""
    state = state_of(request)
    catalogue = state.loaded().catalogue
    try:
        return describe(await state.searching.run(catalogue.get, name))
    except CollectionError as error:
        if name in catalogue.failed:
            return unavailable(name, error)
        raise


@router.get(
    "/media/{collection}/{id:path}",
    summary="Get the file behind a record",
    response_class=FileResponse,
    responses={
        200: {"description": "The file.", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
        **problem_responses((404, 416, 422, 503)),
    },
)
async def media(
    request: Request, collection: str, id: Annotated[str, Path(description="The record's id; it may contain slashes.")]
) -> FileResponse:
    """The image or audio behind a record, from below the collection's media root; parts of it by `Range`."""
    state = state_of(request)
    found = await state.searching.run(state.loaded().catalogue.get, collection)
    path, media_type, status = await state.searching.run(media_file, found, id)
    return FileResponse(
        path,
        media_type=media_type,
        filename=path.name,
        stat_result=status,
        content_disposition_type="attachment" if media_type == UNKNOWN_TYPE else "inline",
        headers={"Cache-Control": MEDIA_CACHE, "Content-Security-Policy": MEDIA_POLICY},
    )


def describe_all(loaded: Loaded) -> list[CollectionDetails]:
    """By name; nothing is opened for it."""
    usable = [describe(collection) for collection in loaded.catalogue.collections.values()]
    lost = [unavailable(name, error) for name, error in loaded.catalogue.failed.items()]
    return sorted(usable + lost, key=lambda one: one.name)


def describe(collection: Collection) -> CollectionDetails:
    return CollectionDetails(
        name=collection.name,
        status="ready",
        kind=collection.kind,
        version=collection.version,
        count=collection.count,
        dim=collection.dim,
        model=collection.fingerprint,
    )


def unavailable(name: str, error: CollectionError) -> CollectionDetails:
    return CollectionDetails(name=name, status="unavailable", detail=str(error))
