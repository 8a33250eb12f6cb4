"""Refusals over a WebSocket: the problem as a message, and then a close code of its kind.

A browser tells a page nothing of a handshake that failed, so a socket is accepted in order to say why it is closed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from app.errors import ClientGone, Draining, ServiceError, kind_of, problem_of

SEND_TIMEOUT_S = 15.0
"""A client that takes nothing for so long is given up."""

CLOSED_WELL = 1000
CLOSE_CODES: Mapping[int, int] = {
    **dict.fromkeys((400, 415, 422), 1007),
    **dict.fromkeys((401, 403, 404, 408, 409), 1008),
    413: 1009,
    **dict.fromkeys((429, 503, 504), 1013),
}
INTERNAL = 1011
RESTART = 1012


async def send_text(socket: WebSocket, text: str) -> None:
    """Raises `ClientGone` where nobody takes it."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await socket.send_text(text)
    except (TimeoutError, WebSocketDisconnect):
        raise ClientGone("The client takes no messages any more.") from None


async def close(socket: WebSocket, code: int) -> None:
    """Raises `ClientGone` where nobody takes it."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await socket.close(code)
    except (TimeoutError, WebSocketDisconnect):
        raise ClientGone("The client takes no messages any more.") from None


async def refuse(socket: WebSocket, error: Exception) -> None:
    """End with a problem; the access log and the metrics have its status and code. Raises `ClientGone`."""
    kind, state = kind_of(error), socket.scope["state"]
    state["problem_code"], state["problem_status"] = kind.code, kind.status
    if socket.client_state is WebSocketState.CONNECTING:
        await socket.accept()
    body = problem_of(error, path=socket.scope["path"], request_id=state["request_id"]) | {"type": "problem"}
    if isinstance(error, ServiceError) and error.retry_after_s is not None:
        body["retry_after"] = error.retry_after_s
    await send_text(socket, json.dumps(body))
    code = RESTART if isinstance(error, Draining) else CLOSE_CODES.get(kind.status, INTERNAL)
    await close(socket, code)


async def refuse_at_the_door(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """The same in middleware."""
    try:
        await refuse(WebSocket(scope, receive, send), error)
    except ClientGone:
        return
