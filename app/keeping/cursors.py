"""Cursors of listings: where the next page begins, in a form that nobody is tempted to build."""

from __future__ import annotations

import base64
import binascii
import zlib

from app.errors import InvalidParameter

CHECK_BYTES = 4


def cursor_after(id: str) -> str:
    """A cursor for what comes after an id."""
    text = id.encode()
    return base64.urlsafe_b64encode(_check(text) + text).decode().rstrip("=")


def position_of(cursor: str) -> str:
    """The id that a cursor comes after. Raises `InvalidParameter` for what is none."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        check, text = data[:CHECK_BYTES], data[CHECK_BYTES:]
        if not text or check != _check(text):
            raise ValueError
        return text.decode()
    except (binascii.Error, ValueError):
        raise InvalidParameter("cursor: is none that a page came with") from None


def _check(text: bytes) -> bytes:
    return zlib.crc32(text).to_bytes(CHECK_BYTES, "big")
