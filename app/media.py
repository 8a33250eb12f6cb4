"""Which file is behind a record, and how it may be served."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from app.errors import MediaNotFound
from index.backend import Collection

logger = logging.getLogger(__name__)

# Our own list, so that neither the machine's tables nor the sender of a file decides what a browser runs.
TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".mpo": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
    ".svg": "image/svg+xml",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".aiff": "audio/aiff",
    ".aif": "audio/aiff",
    ".webm": "audio/webm",
    ".mp4": "video/mp4",
}
UNKNOWN_TYPE = "application/octet-stream"

# A drawing can hold scripts: opened by itself it may run none.
MEDIA_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


def media_file(collection: Collection, id: str) -> tuple[Path, str, os.stat_result]:
    """The file behind a record, which the collection keeps or knows the place of; its media type, and its status.

    Raises `ItemNotFound`, or `MediaNotFound` for whatever is not a readable file below the collection's media root,
    with links followed: one answer for all, so that nobody learns which other files exist.
    """
    record = collection.get(id)
    path = collection.media(record.uri)
    if path is None:
        if collection.media_root is None or record.uri is None:
            raise MediaNotFound(f"The record {id!r} has no file here.")
        path = _below(collection.media_root, record.uri)
    if path is None:
        logger.warning("media cannot be served", extra={"collection": collection.name, "id": id})
        raise MediaNotFound(f"The file of the record {id!r} is not here.")
    return path, TYPES.get(path.suffix.lower(), UNKNOWN_TYPE), path.stat()


def _below(root: Path, uri: str) -> Path | None:
    try:
        real_root = root.resolve(strict=True)
        path = (real_root / uri).resolve(strict=True)
        usable = path.is_relative_to(real_root) and stat.S_ISREG(path.stat().st_mode) and os.access(path, os.R_OK)
    except (OSError, ValueError, RuntimeError):  # not there; a name with NUL in it; links in a circle
        return None
    return path if usable else None
