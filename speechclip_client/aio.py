"""The client for asyncio."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Concatenate, Literal, ParamSpec, Self, TypeVar

import anyio
import anyio.to_thread
import httpx2

from speechclip_client import items, queries, snapshots
from speechclip_client.calls import Call
from speechclip_client.client import POLL_S
from speechclip_client.errors import NotSupported, OutOfTime, SpeechClipError, Unavailable
from speechclip_client.exchange import Service, failure, is_large, read_answer, require_room, signed, without_key
from speechclip_client.queries import Filter
from speechclip_client.results import Final, Interim, Item
from speechclip_client.retries import Attempts, Retries

P = ParamSpec("P")
T = TypeVar("T")


def _calling(build: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    """A method that makes a call, and its answer can be awaited."""

    async def method(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await client._do(build(*args, **kwargs))

    return signed(method, build)


class AsyncClient:
    """As `Client`, with the same methods, to be awaited; files are read in threads."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        deadline_s: float = 60.0,
        slow_deadline_s: float = 330.0,
        retries: Retries | None = None,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._service = Service(url, api_key, deadline_s, slow_deadline_s, retries or Retries())
        self._http, self._owned = http or httpx2.AsyncClient(), http is None

    search = _calling(queries.search)
    keywords = _calling(queries.keywords)
    embed = _calling(queries.embed)
    info = _calling(queries.info)
    list_collections = _calling(items.list_collections)
    get_collection = _calling(items.get_collection)
    create_collection = _calling(items.create_collection)
    delete_collection = _calling(items.delete_collection)
    store_items = _calling(items.store_items)
    get_item = _calling(items.get_item)
    delete_item = _calling(items.delete_item)
    media = _calling(items.media)
    list_snapshots = _calling(snapshots.list_snapshots)
    make_snapshot = _calling(snapshots.make_snapshot)
    send_snapshot = _calling(snapshots.send_snapshot)
    restore_collection = _calling(snapshots.restore_collection)
    delete_snapshot = _calling(snapshots.delete_snapshot)

    async def list_items(
        self, collection: str, *, page: int = 100, include_vector: bool = False
    ) -> AsyncIterator[Item]:
        """The records of a collection in the order of their ids, asked for `page` by `page` while they are used."""
        cursor: str | None = None
        while True:
            found = await self._do(items.page_of_items(collection, cursor, page, include_vector))
            for item in found.items:
                yield item
            if (cursor := found.cursor) is None:
                return

    async def stream(
        self,
        audio: AsyncIterable[bytes],
        *,
        format: Literal["pcm", "container"] = "pcm",
        rate: int = 16_000,
        searches: Mapping[str, int] | None = None,
        keywords: int = 0,
        words: float | None = None,
        branch: str | None = None,
        filter: Filter | None = None,
        include_vector: bool = False,
    ) -> AsyncIterator[Interim | Final]:
        """Search while `audio` comes: answers as they are found, a `Final` last; it may come before the audio ends.

        format: "pcm" (mono, 16 bits, little endian, `rate` Hz, cut anywhere) or "container" (a file that grows, as
        recorders make it). searches: collections, and how many results of each; {"images": 10} by default. keywords:
        how many. include_vector: answers hold what was searched with. The rest is as in `search`. Needs asyncio.
        Nothing is tried again; `http` is not used.
        """
        # Here, because nothing else needs websockets.
        from speechclip_client.live import Live
        from speechclip_client.live_aio import answers

        live = Live.of(self._service, format, rate, searches, keywords, words, branch, filter, include_vector)
        async with aclosing(answers(live, audio)) as found:
            async for answer in found:
                yield answer

    async def ready(self) -> bool:
        """Whether queries are answered now; asks once."""
        try:
            return await self._do(queries.readiness(), Retries(tries=1))
        except Unavailable:
            return False

    async def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Wait for a service that starts; asks at least once, and raises what it said last."""
        until = anyio.current_time() + seconds
        while True:
            try:
                await self._do(queries.readiness(), Retries(tries=1), max(until - anyio.current_time(), POLL_S))
            except SpeechClipError:
                if anyio.current_time() + POLL_S > until:
                    raise
                await anyio.sleep(POLL_S)
            else:
                return

    async def aclose(self) -> None:
        """Close the connections."""
        if self._owned:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _do(self, call: Call[T], retries: Retries | None = None, most_s: float = math.inf) -> T:
        if is_large(call):
            require_room(call, (await self.info()).limits)
        attempts = self._service.attempts(call, retries, most_s)
        while True:
            try:
                return await self._try(call, attempts)
            except NotSupported as error:
                call, pause = without_key(call, error), 0.0
            except SpeechClipError as error:
                pause = attempts.pause_after(error)
            await anyio.sleep(pause)

    async def _try(self, call: Call[T], attempts: Attempts) -> T:
        async with aclosing(_pieces(call)) as pieces:
            content = None if call.body is None else pieces
            left = attempts.left()
            request = self._http.build_request(content=content, **self._service.request(call, left))
            try:
                with anyio.fail_after(left):
                    response = await self._http.send(request, stream=True, follow_redirects=False)
                    async with aclosing(response):
                        body = await response.aread()
            except TimeoutError as error:
                raise OutOfTime(f"{self._service.url} did not answer in time") from error
            except httpx2.TransportError as error:
                raise failure(error, self._service.url) from error
        return read_answer(call, response, body, attempts)


async def _pieces(call: Call[T]) -> AsyncGenerator[bytes]:
    """What the call carries; a disk is waited for in a thread."""
    if call.body is None:
        return
    pieces = call.body.pieces()
    if call.body.in_memory:
        for piece in pieces:
            yield piece
        return
    while (piece_or_end := await anyio.to_thread.run_sync(next, pieces, None)) is not None:
        yield piece_or_end
