"""Calls about whole collections in files."""

from __future__ import annotations

from speechclip_client.calls import Call, answer, nothing, path
from speechclip_client.results import Collection, KeptSnapshot, Snapshot, Snapshots
from speechclip_client.uploads import File, FileBody, JsonBody, upload

CONTENT_TYPE = "application/x-tar"


def list_snapshots() -> Call[tuple[Snapshot, ...]]:
    """The files in the service's folder of snapshots, by name."""
    read = answer(Snapshots)
    return Call("GET", path("snapshots"), lambda body: read(body).snapshots)


def make_snapshot(collection: str) -> Call[KeptSnapshot]:
    """Put all of a collection into one file, which the service keeps."""
    return Call("POST", path("collections", collection, "snapshot"), answer(KeptSnapshot), slow=True, once=True)


def send_snapshot(file: File) -> Call[KeptSnapshot]:
    """Send a snapshot that was kept elsewhere; it is verified, and the same sent again is there once.

    It is to arrive within `slow_deadline_s`.
    """
    body = FileBody(upload(file), CONTENT_TYPE)
    return Call("POST", path("snapshots"), answer(KeptSnapshot), body=body, slow=True, carries="snapshot")


def restore_collection(name: str, snapshot: str, *, replace: bool = False) -> Call[Collection]:
    """Make a collection of a snapshot that the service has, under any name.

    replace: also in the place of a collection of that name, in one step.
    """
    body = JsonBody({"snapshot": snapshot, "replace": replace})
    where = path("collections", name, "restore")
    return Call("POST", where, answer(Collection), body=body, slow=True, once=not replace)


def delete_snapshot(name: str) -> Call[None]:
    """Delete the file; the collection that it is of stays."""
    return Call("DELETE", path("snapshots", name), nothing)
