"""How long an answer is worked on: until the deadline, and only while somebody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import TypeVar

from starlette.requests import Request

from app.errors import ClientGone, DeadlineExceeded

T = TypeVar("T")


async def while_wanted(request: Request, work: Coroutine[None, None, T], deadline_s: float) -> T:
    """The result of the work; it is cancelled, down to its place in the queue, when the client goes or time is up."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if leaving.done():
            raise ClientGone("The client went away before the answer was there.")
        raise DeadlineExceeded(f"There was no answer within {deadline_s:g} s.")
    finally:
        for task in (working, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _left(request: Request) -> None:
    """Returns when the client has closed the connection; the body has been read, so nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
