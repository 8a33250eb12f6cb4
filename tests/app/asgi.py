"""Speaks ASGI to an application directly: bodies in any pieces, at any pace, and connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

import httpx2
from starlette.types import ASGIApp, Message

Body = Iterable[bytes] | AsyncIterator[bytes]


@dataclass
class Exchange:
    """One request; `answer` is what the application sent, `read` how many bytes of the body it asked for."""

    path: str = "/search/images"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "audio/wav"})
    read: int = 0
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    messages: list[Message] = field(default_factory=list)

    async def run(self, app: ASGIApp, body: Body, leaving: asyncio.Event | None = None) -> httpx2.Response:
        """Send the body piece by piece; after it the client waits for the answer, or until `leaving`."""
        pieces = body if isinstance(body, AsyncIterator) else _each(body)

        async def receive() -> Message:
            await asyncio.sleep(0)  # as over a network, nothing is there at once
            async for piece in pieces:
                self.read += len(piece)
                return {"type": "http.request", "body": piece, "more_body": True}
            if not self.complete.is_set():
                self.complete.set()
                return {"type": "http.request", "body": b"", "more_body": False}
            await (leaving or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            self.messages.append(message)

        await app(self.scope(), receive, send)
        return self.answer

    def scope(self) -> dict[str, object]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in self.headers.items()],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }

    @property
    def answer(self) -> httpx2.Response:
        start, *rest = self.messages
        assert rest[-1].get("more_body", False) is False
        headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
        return httpx2.Response(start["status"], headers=headers, content=b"".join(one["body"] for one in rest))


async def _each(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
