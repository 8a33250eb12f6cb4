"""The client for programs that wait."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from types import TracebackType
from typing import Concatenate, Literal, ParamSpec, Self, TypeVar

import httpx2

from speechclip_client import items, queries, snapshots
from speechclip_client.calls import Call
from speechclip_client.errors import NotSupported, SpeechClipError, Unavailable
from speechclip_client.exchange import Service, failure, is_large, read_answer, require_room, signed, without_key
from speechclip_client.queries import Filter
from speechclip_client.results import Final, Interim, Item
from speechclip_client.retries import Attempts, Retries

P = ParamSpec("P")
T = TypeVar("T")

POLL_S = 0.25


def _calling(build: Callable[P, Call[T]]) -> Callable[Concatenate[Client, P], T]:
    """A method that makes a call and waits for its answer."""

    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._do(build(*args, **kwargs))

    return signed(method, build)


class Client:
    """A service at `url`, such as ``http://127.0.0.1:8000``. Any number of threads may use one client.

    deadline_s: the longest a call takes with all its tries and pauses; slow_deadline_s: the same of `store_items`,
    `delete_collection` and of what makes, sends and restores snapshots. http: a client of your own, for proxies or
    certificates; it stays open when this one closes.

    Every method raises `SpeechClipError`s.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        deadline_s: float = 60.0,
        slow_deadline_s: float = 330.0,
        retries: Retries | None = None,
        http: httpx2.Client | None = None,
    ) -> None:
        self._service = Service(url, api_key, deadline_s, slow_deadline_s, retries or Retries())
        self._http, self._owned = http or httpx2.Client(), http is None

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

    def list_items(self, collection: str, *, page: int = 100, include_vector: bool = False) -> Iterator[Item]:
        """The records of a collection in the order of their ids, asked for `page` by `page` while they are used."""
        cursor: str | None = None
        while True:
            found = self._do(items.page_of_items(collection, cursor, page, include_vector))
            yield from found.items
            if (cursor := found.cursor) is None:
                return

    def stream(
        self,
        audio: Iterable[bytes],
        *,
        format: Literal["pcm", "container"] = "pcm",
        rate: int = 16_000,
        searches: Mapping[str, int] | None = None,
        keywords: int = 0,
        words: float | None = None,
        branch: str | None = None,
        filter: Filter | None = None,
        include_vector: bool = False,
    ) -> Iterator[Interim | Final]:
        """Search while `audio` comes: answers as they are found, a `Final` last; it may come before the audio ends.

        format: "pcm" (mono, 16 bits, little endian, `rate` Hz, cut anywhere) or "container" (a file that grows, as
        recorders make it). searches: collections, and how many results of each; {"images": 10} by default. keywords:
        how many. include_vector: answers hold what was searched with. The rest is as in `search`. `audio` is read
        in a thread of its own. Nothing is tried again; `http` is not used.
        """
        # Here, because nothing else needs websockets, and it takes its time.
        from speechclip_client.live import Live
        from speechclip_client.live_sync import answers

        live = Live.of(self._service, format, rate, searches, keywords, words, branch, filter, include_vector)
        yield from answers(live, audio)

    def ready(self) -> bool:
        """Whether queries are answered now; asks once."""
        try:
            return self._do(queries.readiness(), Retries(tries=1))
        except Unavailable:
            return False

    def wait_until_ready(self, seconds: float = 120.0) -> None:
        """Wait for a service that starts; asks at least once, and raises what it said last."""
        until = time.monotonic() + seconds
        while True:
            try:
                self._do(queries.readiness(), Retries(tries=1), max(until - time.monotonic(), POLL_S))
            except SpeechClipError:
                if time.monotonic() + POLL_S > until:
                    raise
                time.sleep(POLL_S)
            else:
                return

    def close(self) -> None:
        """Close the connections."""
        if self._owned:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, call: Call[T], retries: Retries | None = None, most_s: float = math.inf) -> T:
        if is_large(call):
            require_room(call, self.info().limits)
        attempts = self._service.attempts(call, retries, most_s)
        while True:
            try:
                return self._try(call, attempts)
            except NotSupported as error:
                call, pause = without_key(call, error), 0.0
            except SpeechClipError as error:
                pause = attempts.pause_after(error)
            time.sleep(pause)

    def _try(self, call: Call[T], attempts: Attempts) -> T:
        with closing(_pieces(call)) as pieces:
            content = None if call.body is None else pieces
            request = self._http.build_request(content=content, **self._service.request(call, attempts.left()))
            try:
                response = self._http.send(request, stream=True, follow_redirects=False)
                with closing(response):
                    body = _received(response, attempts)
            except httpx2.TransportError as error:
                raise failure(error, self._service.url) from error
        return read_answer(call, response, body, attempts)


def _pieces(call: Call[T]) -> Generator[bytes]:
    if call.body is not None:
        yield from call.body.pieces()


def _received(response: httpx2.Response, attempts: Attempts) -> bytes:
    body = bytearray()
    for piece in response.iter_bytes():
        attempts.left()
        body += piece
    return bytes(body)
