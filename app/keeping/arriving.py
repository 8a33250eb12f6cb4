"""Snapshots on their way in: written aside as they come, verified, and only then in the folder of snapshots."""

from __future__ import annotations

import asyncio
import os
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from app.errors import Malformed
from index.durable import files
from index.durable.locks import FileLock
from index.durable.snapshot import Snapshot
from index.errors import CollectionLocked, SnapshotDamaged
from index.names import NAME

PIECE = 1024 * 1024
WHAT = "what was sent"
ABANDONED_S = 3600.0
"""Whoever writes a snapshot has not put anything into it for so long: it was killed."""
_SENT = re.compile(r".*-sent-[0-9a-f]{16}\.snapshot")


async def write(pieces: AsyncIterator[bytes], file: BinaryIO) -> None:
    """Put what comes into a file; the event loop waits for no disk. Raises `Malformed` where nothing comes."""
    waiting = bytearray()
    async for piece in pieces:
        waiting += piece
        if len(waiting) >= PIECE:
            await asyncio.to_thread(_put, file, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(_put, file, bytes(waiting))
    if not file.tell():
        raise Malformed("The body is empty; send a snapshot.")


@contextmanager
def arriving(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file beside the snapshots, gone at the end unless it was accepted; should the process be killed, when the
    next one starts."""
    path = folder / f".{uuid.uuid4().hex}.sent"
    with files.storage("the snapshot cannot be kept"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, WHAT)
        file = path.open("wb")
    try:
        with file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)
        lock.release()


def accept(path: Path, folder: Path) -> Snapshot:
    """Verify what has arrived and give it its name, which is made of what is in it, durably.

    Raises `SnapshotDamaged` or `StorageFailed`.
    """
    snapshot = Snapshot(path, WHAT)
    of = snapshot.contents.manifest.name
    if not NAME.fullmatch(of):
        raise SnapshotDamaged(f"{WHAT} is of {of[:80]!r}, which is no name of a collection")
    kept = folder / f"{of}-sent-{snapshot.sha256[:16]}.snapshot"
    with files.storage(f"the snapshot {kept.name} cannot be kept"):
        files.sync(path)
        os.replace(path, kept)
        files.sync_directory(folder)
    snapshot.path = kept
    return snapshot


def was_sent(path: Path) -> bool:
    """Whether a snapshot came over HTTP: from somebody who need not be allowed to read this machine's files."""
    return _SENT.fullmatch(path.name) is not None


def sweep(folder: Path) -> None:
    """Delete what killed processes were sent, or have written, in part; not what another one is at now."""
    with suppress(OSError):
        for path in folder.glob(".*.snapshot.new"):
            if time.time() - path.stat().st_mtime > ABANDONED_S:
                path.unlink()
    for path in folder.glob(".*.sent"):
        with suppress(CollectionLocked, OSError):
            lock = FileLock(path, WHAT)
            path.unlink(missing_ok=True)
            lock.release()


def _put(file: BinaryIO, data: bytes) -> None:
    with files.storage("the snapshot cannot be kept"):
        file.write(data)
        file.flush()
