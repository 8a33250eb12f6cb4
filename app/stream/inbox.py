"""What a client has sent and nobody has listened to yet: never more than a stream may hold in all."""

from __future__ import annotations

import asyncio

from app.errors import BodyTooLarge
from app.stream.messages import Reason


class Inbox:
    """For one event loop. `reason`: why no more is heard, None while it goes on."""

    def __init__(self, most_bytes: int, *, cut: bool) -> None:
        """cut: whether what comes beyond `most_bytes` is left out, and the stream ends there; else it is refused."""
        self._most, self._cut = most_bytes, cut
        self._pieces: list[bytes] = []
        self._bytes = 0
        self.reason: Reason | None = None
        self._changed = asyncio.Event()

    def put(self, data: bytes) -> None:
        """Raises `BodyTooLarge`. What comes after the end is not kept."""
        if self.reason is not None:
            return
        room = self._most - self._bytes
        if len(data) > room and not self._cut:
            raise BodyTooLarge(f"The audio is larger than the {self._most} bytes that a stream may bring.")
        if data and room:
            self._pieces.append(data[:room])
            self._bytes += len(self._pieces[-1])
        if self._cut and self._bytes >= self._most:
            self.end("limit")

    def end(self, reason: Reason) -> None:
        """The first reason counts."""
        self.reason = self.reason or reason
        self._changed.set()

    def take(self) -> bytes:
        """Everything that has come since it was last asked."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    async def wait(self, seconds: float) -> None:
        """Until so many seconds have passed, or the end."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
