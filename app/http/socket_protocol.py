"""WebSockets as uvicorn speaks them, bounded where it is not, and left to the application to end."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from app.http.timers import Patience

PATHS = frozenset({"/stream", "/v1/stream"})
VERSION = b"13"
KEY_BYTES = 16

MAX_MESSAGE_BYTES = 1024 * 1024
MAX_FRAGMENTS = 1024
"""Of one message: empty ones add nothing to its size, and never end."""
SEND_TIMEOUT_S = 30.0
"""A client that takes nothing of what is sent to it for so long is given up."""
PING_INTERVAL_S, PING_TIMEOUT_S = 20.0, 20.0


def is_handshake(method: str, path: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request to upgrade is one that becomes a WebSocket; what is not, is answered as any other request."""
    try:
        key = base64.b64decode(headers.get(b"sec-websocket-key", b""), validate=True)
    except binascii.Error:
        return False
    rightly = method == "GET" and headers.get(b"sec-websocket-version") == VERSION
    return rightly and path in PATHS and len(key) == KEY_BYTES


class SocketProtocol(WebSocketsSansIOProtocol):
    """One connection. Messages are read one by one as the application asks for them."""

    _sending: Patience

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._sending = Patience(SEND_TIMEOUT_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sending.stop()
        super().connection_lost(exc)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MAX_FRAGMENTS:
            self.conn.fail(1009, "too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        # The answers of somebody who never reads would be kept without end.
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending.start()

    def resume_writing(self) -> None:
        self._sending.stop()
        super().resume_writing()

    def shutdown(self) -> None:
        """The server stops. A running conversation says so itself, or gives the answer that it has in hand."""
        if self.close_sent or not self.handshake_complete:
            super().shutdown()
