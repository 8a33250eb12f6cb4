"""The collections: which there are, whether they can be opened, and whether the model is theirs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from app.demo import DEFAULTS
from app.diagnosis.findings import Finding, failed, ok, warned
from app.diagnosis.model import SHORT, model_folder
from app.settings import Settings
from index.address import Server, parse
from index.inspection import Inspected, inspect
from models.errors import ModelError
from models.published.shelf import FILES, fingerprint

PATIENCE_S = 3.0
AREA = "collections"


def check_collections(settings: Settings) -> Iterator[Finding]:
    """On the disk one by one; on a server only whether it answers."""
    address = parse(settings.store, settings.data)
    if address is not None:
        yield from _check_milvus(address if isinstance(address, Server) else None, str(address))
        return
    found = inspect(settings.data / AREA)
    if not found:
        yield ok(AREA, "none yet; the default ones are made at the first start")
    mine = _fingerprint(settings)
    for one in found:
        yield _judge(one, mine)


def _judge(one: Inspected, mine: str | None) -> Finding:
    if one.problem is not None:
        return failed(one.name, one.problem, "restore it from a snapshot, or delete it and index its items again")
    count = "" if one.count is None else f", {one.count:,} records"
    told = f"{one.kind}{count}{', in use by a running service' if one.in_use else ''}"
    if mine is not None and one.fingerprint != mine and one.name not in DEFAULTS:
        return warned(
            one.name,
            f"{told}; made by the model {str(one.fingerprint)[:SHORT]}, not by the one that is chosen",
            "choose that model (SPEECHCLIP_MODEL), or index its items again",
        )
    if not one.closed_well:
        return warned(one.name, f"{told}; its process was killed", "nothing: it is looked through when it is opened")
    if not one.whole:
        return warned(one.name, f"{told}; its index is missing", "nothing: it is derived anew when it is opened")
    return ok(one.name, told)


def _fingerprint(settings: Settings) -> str | None:
    """Of the model that is chosen; None where that is not complete, which has a finding of its own."""
    try:
        path = model_folder(settings)
    except ModelError:
        return None
    return fingerprint(path) if all((path / name).is_file() for name in FILES) else None


def _check_milvus(server: Server | None, told: str) -> Iterator[Finding]:
    package = "pymilvus" if server else "milvus_lite"
    if find_spec(package) is None:
        extra = "milvus" if server else "milvus-lite"
        yield failed(AREA, f"{told} needs the package {package}", f"install speechclip-search[{extra}]")
        return
    if server is None:
        yield ok(AREA, f"{told}, which is not opened: only one process may")
        return
    place = urlsplit(server.uri)
    try:
        socket.create_connection((place.hostname or "", place.port or 0), PATIENCE_S).close()
    except OSError as error:
        why = error.strerror or str(error)
        yield failed(AREA, f"{told} does not answer: {why}", "start Milvus, or correct SPEECHCLIP_STORE")
    else:
        yield ok(AREA, f"{told} takes connections")
