"""Bodies are counted before anything parses them: ASGI middleware around `receive`."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTimeout, BodyTooLarge, Overloaded, ServiceError, problem
from app.metrics import Metrics
from app.settings import Settings

LINGER_S = 2.0
SMALL = 256 * 1024  # bytes
ITEMS_PATH = re.compile(r"(/v1)?/collections/[^/]+/items")
SNAPSHOTS_PATH = re.compile(r"(/v1)?/snapshots")
STRETCH = 1024 * 1024
"""Bytes of a body that is not held, for which there is as much time as for the whole of another."""


class BodyLimits:
    """Refuses bodies that are too large, too slow, or too much together with the other bodies held at the time.

    A declared length is judged before the first byte is read, and a body of unknown length is cut where it goes over.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app = app
        self._settings, self._metrics = settings, metrics
        self._buffered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self, scope, receive, send)
        try:
            if (declared := body.declared or 0) > body.most:
                await self._refuse(_too_large(body.most, declared), scope, body)
            else:
                await self.app(scope, body.receive, body.send)
        finally:
            scope["state"]["body_bytes"] = body.counted
            body.release()

    @property
    def timeout_s(self) -> float:
        return self._settings.body_timeout_s

    def most(self, scope: Scope) -> int:
        """The largest body that a request may have."""
        if is_passed_on(scope):
            return self._settings.max_snapshot_bytes
        items = scope["method"] == "POST" and ITEMS_PATH.fullmatch(scope["path"])
        return self._settings.max_batch_bytes if items else self._settings.max_body_bytes

    def judge(self, total: int, most: int) -> None:
        """Judge a body of which `total` bytes have come."""
        if total > most:
            raise _too_large(most)
        if self._buffered > self._settings.max_buffered_bytes:
            raise Overloaded("The service holds as many bytes as it can; try again in a moment.")

    def hold(self, size: int) -> None:
        self._buffered += size
        self._metrics.buffered.set(self._buffered)

    async def _refuse(self, error: BodyTooLarge, scope: Scope, body: _Body) -> None:
        response = problem(error, path=scope["path"], request_id=scope["state"]["request_id"])
        scope["state"]["problem_code"] = "body_too_large"
        await response(scope, body.receive, body.send)


def is_passed_on(scope: Scope) -> bool:
    """Whether the body goes to the disk piece by piece, so that it is never held."""
    return scope["method"] == "POST" and SNAPSHOTS_PATH.fullmatch(scope["path"]) is not None


class _Body:
    """One request's body on its way in, and the response that may overtake it."""

    def __init__(self, limits: BodyLimits, scope: Scope, receive: Receive, send: Send) -> None:
        self._limits, self._receive, self._send = limits, receive, send
        self.most = limits.most(scope)
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        self.declared = int(length) if length.isascii() and length.isdigit() else None
        self.counted = 0
        self._held, self._passed_on = 0, is_passed_on(scope)
        self._expected = self.declared != 0 and (self.declared is not None or "transfer-encoding" in headers)
        self._waits_for_consent = "expect" in headers
        self._late_at: float | None = None

    async def receive(self) -> Message:
        if not self._expected:
            return await self._receive()
        message = await self._in_time()
        self._waits_for_consent = False
        self._hold(len(message.get("body", b"")))
        self._note_end(message)
        try:
            self._limits.judge(self.counted, self.most)
        except ServiceError:
            self.release()
            raise
        return message

    def release(self) -> None:
        """What was counted is no longer held."""
        self._limits.hold(-self._held)
        self._held = 0

    async def send(self, message: Message) -> None:
        """Pass the response on; where it overtakes the body, the rest of the body is read and thrown away first.

        Closing the connection on a client that is still sending makes its system drop the answer unread. A small body
        is on its way as a whole, so that the connection can stay.
        """
        if self._expected and self.declared is not None and self.declared <= SMALL and not self._waits_for_consent:
            await self._linger()
        if self._expected and message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        ends = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not (self._expected and ends):
            await self._send(message)
            return
        await self._send({**message, "more_body": True})
        await self._linger()
        await self._send({"type": "http.response.body", "body": b""})

    def _hold(self, size: int) -> None:
        if self._passed_on:
            self.release()  # who asks for the next piece is done with the last
            if self.counted // STRETCH < (self.counted + size) // STRETCH:
                self._late_at = None
        self.counted += size
        self._held += size
        self._limits.hold(size)

    async def _in_time(self) -> Message:
        now = asyncio.get_running_loop().time()
        self._late_at = self._late_at or now + self._limits.timeout_s
        try:
            async with asyncio.timeout_at(self._late_at):
                return await self._receive()
        except TimeoutError:
            raise BodyTimeout(
                f"The body did not arrive within {self._limits.timeout_s:g} s; {self.counted} bytes had come."
            ) from None

    async def _linger(self) -> None:
        if self._waits_for_consent:
            return  # an `Expect: 100-continue` that got no: the body will not be sent
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while self._expected:
                    self._note_end(await self._receive())

    def _note_end(self, message: Message) -> None:
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._expected = False


def _too_large(most: int, declared: int | None = None) -> BodyTooLarge:
    size = "The body" if declared is None else f"The body of {declared} bytes"
    return BodyTooLarge(f"{size} is larger than the {most} bytes that are taken.")
