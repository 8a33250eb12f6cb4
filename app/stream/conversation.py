"""A stream from its first message to its last, over one WebSocket."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Message
from starlette.websockets import WebSocket

from app.errors import BodyTimeout, ClientGone, Malformed
from app.http.sockets import CLOSED_WELL, close, send_text
from app.state import Loaded, State
from app.stream.answering import Answering
from app.stream.finding import Finder
from app.stream.inbox import Inbox
from app.stream.messages import Cancel, End, Ready, Start, read_message
from app.stream.policy import INTERVAL_S
from app.stream.sources import source_of

IDLE_S = 10.0
"""A client that sends nothing for so long, before it has said `end`, is given up."""


async def converse(socket: WebSocket, state: State, loaded: Loaded) -> None:
    """Until the stream is closed. Raises what it is refused for, and `ClientGone`."""
    most = state.settings.max_seconds
    first = await _receive(socket, IDLE_S)
    wanted = _wanted(first)
    finder = Finder(state, loaded, wanted)
    await finder.check()
    source = source_of(wanted.format, wanted.rate, most, state.decoder)
    inbox = Inbox(source.most_bytes, cut=wanted.format == "pcm")
    interval_ms, id = round(1000 * INTERVAL_S), socket.state.request_id
    ready = Ready(type="ready", max_seconds=most, interval_ms=interval_ms, request_id=id)
    await send_text(socket, ready.text())
    inbox.put(first.get("bytes") or b"")
    listening = asyncio.create_task(_listen(socket, inbox))
    answering = asyncio.create_task(Answering(socket, state, finder, source, inbox).run())
    await _first_of(answering, listening, most + state.settings.body_timeout_s)
    await close(socket, CLOSED_WELL)


def _wanted(first: Message) -> Start:
    """What the first message asks for; audio in its place asks for what is usual."""
    if first.get("bytes") is not None:
        return Start()
    wanted = read_message(first.get("text") or "")
    if not isinstance(wanted, Start):
        raise Malformed("The first message of a stream is start, or audio.")
    return wanted


async def _first_of(answering: asyncio.Task[None], listening: asyncio.Task[None], longest_s: float) -> None:
    """Until there is an answer, or nobody wants one; the other is cancelled, down to its query in the queue."""
    tasks = (answering, listening)
    try:
        done, _ = await asyncio.wait(tasks, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise BodyTimeout(f"The stream has not come to an end within {longest_s:g} s.")
        (answering if answering in done else listening).result()
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _listen(socket: WebSocket, inbox: Inbox) -> None:
    """Returns at a `cancel`."""
    while True:
        message = await _receive(socket, IDLE_S if inbox.reason is None else None)
        if (data := message.get("bytes")) is not None:
            inbox.put(data)
            continue
        match read_message(message.get("text") or ""):
            case End():
                inbox.end("end")
            case Cancel():
                return
            case Start():
                raise Malformed("A stream is started once.")


async def _receive(socket: WebSocket, idle_s: float | None) -> Message:
    try:
        async with asyncio.timeout(idle_s):
            message = await socket.receive()
    except TimeoutError:
        raise BodyTimeout(f"Nothing has come for {IDLE_S:g} s.") from None
    if message["type"] == "websocket.disconnect":
        raise ClientGone("The client has closed the stream.")
    return message
