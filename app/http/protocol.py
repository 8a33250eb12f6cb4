"""HTTP/1.1 as uvicorn speaks it, with refusals in our shape, and with an end to its patience."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.errors import Malformed, problem
from app.http.context import RAW_SAFE_HEADERS
from app.http.socket_protocol import MAX_MESSAGE_BYTES, PING_INTERVAL_S, PING_TIMEOUT_S, SocketProtocol, is_handshake
from app.http.timers import Patience

HEAD_TIMEOUT_S = 15.0
"""A request's line and headers must have arrived completely after so long, from the connection's first moment on."""
SEND_TIMEOUT_S = 30.0
"""A client that takes nothing of its answer for so long is given up."""
LINGER_S = 1.0
"""After the port is closed, requests may still come on the connections that are there for so long."""


class Protocol(H11Protocol):
    """One connection. Without an end to patience, clients that dribble or never listen would hold theirs for ever."""

    _head: Patience
    _sending: Patience

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        # Without an answer: a client that has sent nothing yet would take it for that to its first request.
        self._head = Patience(HEAD_TIMEOUT_S, transport.close)
        self._sending = Patience(SEND_TIMEOUT_S, transport.abort)
        self._head.start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.stop()
        self._sending.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._head.start()
        else:
            self._head.stop()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending.start()

    def resume_writing(self) -> None:
        self._sending.stop()
        super().resume_writing()

    def shutdown(self) -> None:
        """The server stops. A request that is on its way to an idle connection is awaited for a moment, not cut."""
        if self.conn.their_state is h11.IDLE:
            self.loop.call_later(LINGER_S, self._leave)
        else:
            super().shutdown()

    def _leave(self) -> None:
        if not self.transport.is_closing() and self.transport.get_protocol() is self:
            super().shutdown()

    def _should_upgrade(self) -> bool:
        return self._get_upgrade() == b"websocket" and is_handshake(
            self.scope["method"], self.scope["path"], dict(self.headers)
        )

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, unless the answer to the request is on its way already."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in _refusal():
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


CONNECTIONS: Mapping[str, Any] = {
    "http": Protocol,
    "ws": SocketProtocol,
    "ws_max_size": MAX_MESSAGE_BYTES,
    "ws_ping_interval": PING_INTERVAL_S,
    "ws_ping_timeout": PING_TIMEOUT_S,
    # A few kilobytes inflate to a megabyte, for each message anew.
    "ws_per_message_deflate": False,
}
"""What uvicorn is told of them."""


def _refusal() -> tuple[h11.Response, h11.Data, h11.EndOfMessage]:
    id = uuid.uuid4().hex
    response = problem(Malformed("This is no HTTP request that can be understood."), path="", request_id=id)
    own = [(b"x-request-id", id.encode()), (b"connection", b"close")]
    headers = [*response.raw_headers, *RAW_SAFE_HEADERS, *own]
    return (
        h11.Response(status_code=response.status_code, headers=headers, reason=b"Bad Request"),
        h11.Data(data=bytes(response.body)),
        h11.EndOfMessage(),
    )
