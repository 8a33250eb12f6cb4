"""`/collections/{name}/compact`, `/snapshot` and `/restore`, and `/snapshots`: for those who keep the collections."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse

from app.errors import InvalidParameter, UnsupportedMedia
from app.http.hosts import from_own_page
from app.keeping.arriving import accept, arriving, was_sent, write
from app.keeping.items import RestoreRequest
from app.keeping.snapshots import delete_snapshot, new_snapshot, snapshot_file, snapshots_in
from app.openapi import file_request, file_responses, problem_responses
from app.routes.collections import measured
from app.routes.items import info
from app.schemas import (
    CollectionDetails,
    CollectionInfo,
    CompactResponse,
    NewSnapshot,
    SnapshotDetails,
    SnapshotsResponse,
)
from app.state import Loaded, State, state_of
from index.backend import Collection
from index.durable.snapshot import Snapshot
from index.errors import InvalidName, ModelMismatch

SNAPSHOT_TYPE = "application/x-tar"
PROBLEMS = (403, 404, 422, 429, 503)

router = APIRouter(tags=["upkeep"])


@router.post(
    "/collections/{name}/compact",
    summary="Compact a collection",
    dependencies=[Depends(from_own_page)],
    responses=problem_responses(PROBLEMS),
)
async def compact(request: Request, name: str) -> CompactResponse:
    """Give back the room of what was deleted or replaced, records and kept media. Searches go on; writes wait."""
    state = state_of(request)
    collection = await state.searching.run(state.loaded().catalogue.get, name)
    before, after = await state.upkeep.run(collection.compact)
    return CompactResponse(collection=info(collection), bytes_before=before, bytes_after=after)


@router.post(
    "/collections/{name}/snapshot",
    summary="Make a snapshot of a collection",
    status_code=201,
    dependencies=[Depends(from_own_page)],
    responses=problem_responses(PROBLEMS),
)
async def make_snapshot(request: Request, name: str) -> NewSnapshot:
    """Put all of a collection into one file, as it is at one moment. Searches and writes go on."""
    state = state_of(request)
    collection = await state.searching.run(state.loaded().catalogue.get, name)
    snapshot = await state.upkeep.run(collection.snapshot, new_snapshot(state.settings.snapshots, name))
    return _told(snapshot)


@router.post(
    "/collections/{name}/restore",
    summary="Restore a collection from a snapshot",
    dependencies=[Depends(from_own_page)],
    responses=problem_responses((400, 403, 404, 409, 413, 422, 429, 503)),
)
async def restore(request: Request, name: str, wanted: RestoreRequest) -> CollectionDetails:
    """Make a collection of what a snapshot holds, under any name, or put it in a collection's place in one step.

    The snapshot is verified first; searches see what was there, or what is restored, and never anything between.
    """
    state = state_of(request)
    loaded = state.loaded()
    try:
        return await state.upkeep.run(lambda: measured(_restored(state, loaded, name, wanted)))
    except InvalidName as error:
        raise InvalidParameter(f"name: {error}") from None


@router.get("/snapshots", summary="List the snapshots", responses=problem_responses((429, 503)))
async def list_snapshots(request: Request) -> SnapshotsResponse:
    """The files in the folder of snapshots, by name."""
    state = state_of(request)
    found = await state.searching.run(snapshots_in, state.settings.snapshots)
    return SnapshotsResponse(snapshots=[SnapshotDetails(name=path.name, bytes=path.stat().st_size) for path in found])


@router.post(
    "/snapshots",
    summary="Send a snapshot",
    status_code=201,
    dependencies=[Depends(from_own_page)],
    responses=problem_responses((400, 403, 408, 413, 415, 422, 429, 503)),
    openapi_extra=file_request(SNAPSHOT_TYPE),
)
async def send_snapshot(request: Request) -> NewSnapshot:
    """Keep a snapshot that was made elsewhere, once it is verified; its name is made of what is in it.

    It is written to the disk as it comes. What breaks off, or is no snapshot, leaves nothing behind.
    """
    state = state_of(request)
    state.readiness.require()
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMedia("Compressed bodies are not read; send the snapshot as it is.")
    with state.arriving.hold(), arriving(state.settings.snapshots) as (path, file):
        await write(request.stream(), file)
        return _told(await state.upkeep.run(accept, path, state.settings.snapshots))


@router.get(
    "/snapshots/{file}",
    summary="Get a snapshot",
    response_class=FileResponse,
    responses={
        **file_responses(SNAPSHOT_TYPE),
        **problem_responses((404, 416, 422, 503)),
    },
)
async def get_snapshot(request: Request, file: str) -> FileResponse:
    """The file itself, to be kept elsewhere; parts of it by `Range`."""
    path = snapshot_file(state_of(request).settings.snapshots, file)
    return FileResponse(path, media_type=SNAPSHOT_TYPE, filename=path.name)


@router.delete(
    "/snapshots/{file}",
    summary="Delete a snapshot",
    status_code=204,
    dependencies=[Depends(from_own_page)],
    responses=problem_responses(PROBLEMS),
)
async def remove_snapshot(request: Request, file: str) -> Response:
    """Delete the file. The collection that it is of stays as it is."""
    state = state_of(request)
    await state.searching.run(delete_snapshot, state.settings.snapshots, file)
    return Response(status_code=204)


def _restored(state: State, loaded: Loaded, name: str, wanted: RestoreRequest) -> Collection:
    snapshot = Snapshot(snapshot_file(state.settings.snapshots, wanted.snapshot))
    made_by, model = snapshot.contents.manifest.fingerprint, loaded.engine.encoder.fingerprint
    if made_by != model:
        raise ModelMismatch(
            f"the vectors in {wanted.snapshot} were made by model {made_by[:12]}, and the service has {model[:12]}: it "
            "could not search them; restore it with `speechclip collections restore`, and serve it with its model"
        )
    if was_sent(snapshot.path) and not _is_served(loaded, snapshot.contents.manifest.media_root):
        # Who may send one is not thereby to read whatever file of this machine a snapshot names.
        snapshot = snapshot.without_media_root()
    return loaded.catalogue.restore(snapshot, name, wanted.replace)


def _is_served(loaded: Loaded, media_root: str | None) -> bool:
    roots = [collection.media_root for collection in loaded.catalogue.collections.values()]
    return any(root is not None and str(root) == media_root for root in roots)


def _told(snapshot: Snapshot) -> NewSnapshot:
    contents = snapshot.contents
    collection = CollectionInfo(name=contents.manifest.name, version=contents.version, count=contents.count)
    return NewSnapshot(name=snapshot.path.name, bytes=snapshot.bytes, sha256=snapshot.sha256, collection=collection)
