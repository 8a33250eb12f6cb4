"""`/stream`: a WebSocket to speak into, which answers while it is spoken into."""

from __future__ import annotations

import logging
from contextlib import suppress

from fastapi import APIRouter, HTTPException, WebSocket
from starlette.websockets import WebSocketDisconnect

from app.errors import ClientGone, kind_of
from app.http.sockets import refuse
from app.state import state_of
from app.stream.conversation import converse

UPGRADE_REQUIRED = 426

logger = logging.getLogger(__name__)

router = APIRouter()


@router.get("/stream", include_in_schema=False)
async def no_stream() -> None:
    """What a request gets that is no WebSocket."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    raise HTTPException(UPGRADE_REQUIRED, "This path is a WebSocket, of version 13.", headers)


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """One utterance: audio in, interim answers and a final one out. The messages are in docs/api.md."""
    state = state_of(socket)
    await socket.accept()
    try:
        with state.streams.hold(), state.metrics.streams.track_inprogress():
            await converse(socket, state, state.loaded())
    except (ClientGone, WebSocketDisconnect):
        socket.scope["state"]["problem_code"] = "client_gone"
    # Whatever it is, the one who speaks hears of it, and the log has the rest.
    except Exception as error:
        await _refuse(socket, error)


async def _refuse(socket: WebSocket, error: Exception) -> None:
    if kind_of(error).status == 500:
        logger.error("stream failed", exc_info=error, extra={"request_id": socket.state.request_id})
    with suppress(ClientGone):
        await refuse(socket, error)
