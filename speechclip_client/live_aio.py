"""A stream for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import AsyncExitStack, suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from speechclip_client.live import END, Answer, Live, read_answer
from speechclip_client.results import Final


async def answers(live: Live, audio: AsyncIterable[bytes]) -> AsyncGenerator[Answer]:
    """Until the final one. Raises `SpeechClipError`s, and what `audio` raises."""
    async with AsyncExitStack() as stack:
        with live.failures():
            socket = await stack.enter_async_context(connect(**live.connection))
            # One that is refused at once is closed already; why, is to be read.
            with suppress(ConnectionClosed):
                await socket.send(live.start)
        speaking = asyncio.create_task(_speak(socket, audio))
        stack.push_async_callback(_end, speaking)
        while True:
            answer = read_answer(await _received(live, socket, speaking))
            if answer is not None:
                yield answer
            if isinstance(answer, Final):
                return


async def _end(speaking: asyncio.Task[None]) -> None:
    speaking.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await speaking


async def _speak(socket: ClientConnection, audio: AsyncIterable[bytes]) -> None:
    with suppress(ConnectionClosed):
        async for piece in audio:
            await socket.send(piece)
        await socket.send(END)


async def _received(live: Live, socket: ClientConnection, speaking: asyncio.Task[None]) -> str | bytes:
    """The next message; raises what the audio raises meanwhile."""
    receiving = asyncio.create_task(socket.recv())
    waiting = {receiving} if speaking.done() else {receiving, speaking}
    try:
        await asyncio.wait(waiting, timeout=live.service.deadline_s, return_when=asyncio.FIRST_COMPLETED)
        if speaking.done():
            speaking.result()
        with live.failures():
            async with asyncio.timeout(live.service.deadline_s):
                return await receiving
    finally:
        receiving.cancel()
