"""When a call is tried again, and what it then does: by both clients, before a service that is made up."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from speechclip_client import AsyncClient, Client, NewItem, Retries, SpeechClipError
from speechclip_client.errors import (
    CollectionDamaged,
    DeadlineExceeded,
    Draining,
    InvalidParameter,
    ItemNotFound,
    NotSupported,
    OutOfTime,
    Overloaded,
    ServiceUnreachable,
    Unavailable,
    UnexpectedAnswer,
)
from speechclip_client.retries import Attempts
from tests.patience import WAIT_S

Reply = Callable[[httpx2.Request], httpx2.Response]
READY = httpx2.Response(200, json={"status": "ready"})
QUICK = Retries(tries=3, first_pause_s=0.001)
STORED = {"ids": ["a"], "created": 1, "replaced": 0, "collection": {"name": "c", "version": 1, "count": 1}}


class Service:
    """Replies in turn; what it was asked is noted."""

    def __init__(self, *replies: Reply | httpx2.Response | Exception) -> None:
        self._replies = iter(replies)
        self.asked: list[httpx2.Request] = []

    def reply(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return self._next(request)

    async def areply(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        return self._next(request)

    def _next(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        reply = next(self._replies)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, httpx2.Response):
            # Anew: one answer can be read once.
            return httpx2.Response(reply.status_code, headers=reply.headers, content=reply.content)
        return reply(request)


class Caller:
    """Calls a method of one of the clients."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, service: Service, method: str, *args: Any, retries: Retries = QUICK, **kwargs: Any) -> Any:
        made = {name: kwargs.pop(name) for name in ("api_key", "deadline_s") if name in kwargs}
        if self.kind == "sync":
            transport = httpx2.MockTransport(service.reply)
            with httpx2.Client(transport=transport) as http:
                return getattr(Client("http://there/", retries=retries, http=http, **made), method)(*args, **kwargs)

        async def call() -> Any:
            async with httpx2.AsyncClient(transport=httpx2.MockTransport(service.areply)) as http:
                client = AsyncClient("http://there/", retries=retries, http=http, **made)
                return await getattr(client, method)(*args, **kwargs)

        return asyncio.run(call())


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Caller:
    return Caller(request.param)


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, content=json.dumps({"code": code, "detail": "no"}), headers=headers)


def collection(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, json={"name": "c", "status": "ready"})


@pytest.mark.parametrize(
    "first",
    [
        problem(429, "overloaded"),
        problem(429, "rate_limited"),
        problem(503, "draining"),
        problem(503, "not_ready"),
        httpx2.Response(502, text="a proxy"),
        httpx2.ConnectError("refused"),
        httpx2.ConnectTimeout("silence"),
        httpx2.ReadError("reset"),
        httpx2.RemoteProtocolError("gone"),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(call: Caller, first: httpx2.Response | Exception) -> None:
    service = Service(first, collection)

    assert call(service, "get_collection", "c").name == "c"
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (problem(422, "invalid_parameter"), InvalidParameter),
        (problem(503, "collection_damaged"), CollectionDamaged),
        (problem(504, "deadline_exceeded"), DeadlineExceeded),
        (httpx2.Response(200, text="<html>"), UnexpectedAnswer),
        (httpx2.Response(200, json={"name": "c"}), UnexpectedAnswer),
        (httpx2.ReadTimeout("silence"), OutOfTime),
    ],
    ids=str,
)
def test_what_would_end_as_before_is_not(
    call: Caller, reply: httpx2.Response | Exception, kind: type[SpeechClipError]
) -> None:
    service = Service(reply)

    with pytest.raises(kind):
        call(service, "get_collection", "c")
    assert len(service.asked) == 1


def test_it_ends_after_so_many_tries_with_what_was_said_last(call: Caller) -> None:
    service = Service(problem(503, "draining"), httpx2.ConnectError("refused"), problem(429, "overloaded"))

    with pytest.raises(Overloaded):
        call(service, "get_collection", "c")
    assert len(service.asked) == 3


def test_the_service_says_how_long_to_wait(call: Caller) -> None:
    service = Service(problem(429, "overloaded", **{"Retry-After": "1"}), collection)

    started = time.monotonic()
    call(service, "get_collection", "c")

    assert 1 <= time.monotonic() - started < WAIT_S / 2


def test_nobody_waits_for_what_comes_after_the_deadline(call: Caller) -> None:
    service = Service(problem(503, "draining", **{"Retry-After": "600"}))

    started = time.monotonic()
    with pytest.raises(Draining):
        call(service, "get_collection", "c", deadline_s=WAIT_S)

    assert time.monotonic() - started < WAIT_S / 2


def test_a_batch_is_tried_again_under_the_same_key(call: Caller) -> None:
    service = Service(httpx2.ReadError("reset"), problem(503, "draining"), httpx2.Response(200, json=STORED))

    call(service, "store_items", "c", [NewItem(id="a", image=b"picture")])

    keys = {request.headers["Idempotency-Key"] for request in service.asked}
    assert len(keys) == 1
    assert len({request.content for request in service.asked}) == 1
    again = Service(httpx2.Response(200, json=STORED))
    call(again, "store_items", "c", [NewItem(id="a", image=b"picture")])
    assert again.asked[0].headers["Idempotency-Key"] not in keys


def test_a_store_without_keys_gets_a_batch_without_one(call: Caller) -> None:
    unsupported, stored = problem(501, "not_supported"), httpx2.Response(200, json=STORED)
    service = Service(unsupported, httpx2.ReadError("reset"), stored)

    call(service, "store_items", "c", [NewItem(id="a", image=b"picture")])

    assert ["Idempotency-Key" in request.headers for request in service.asked] == [True, False, False]
    assert len({request.content for request in service.asked}) == 1
    with pytest.raises(NotSupported):
        call(Service(unsupported), "store_items", "c", [NewItem(id="a", text="b")], idempotency_key="mine")
    with pytest.raises(NotSupported):
        call(Service(unsupported, unsupported), "store_items", "c", [NewItem(id="a", text="b")])


def test_a_file_is_sent_anew_from_where_it_stood(call: Caller) -> None:
    file = io.BytesIO(b"before" + b"RIFF" * 100_000)
    file.seek(6)
    service = Service(problem(503, "draining"), httpx2.Response(422, json={"code": "silent_audio"}))

    with pytest.raises(SpeechClipError):
        call(service, "embed", audio=file)

    first, second = (request.content for request in service.asked)
    assert first == second == b"RIFF" * 100_000
    assert service.asked[0].headers["Content-Length"] == "400000"


class Pipe(io.RawIOBase):
    """A file object that gives little at a time, and cannot be set back."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(memoryview(buffer)[:1000])


def test_a_stream_is_sent_once(call: Caller) -> None:
    service = Service(problem(503, "draining"))

    with pytest.raises(Draining):
        call(service, "embed", audio=Pipe(b"R" * 200_000))

    (request,) = service.asked
    assert request.content == b"R" * 200_000
    assert request.headers["Transfer-Encoding"] == "chunked"


@pytest.mark.parametrize("first", [httpx2.ReadError("reset"), httpx2.Response(502)], ids=str)
def test_what_a_try_before_has_deleted_is_deleted(call: Caller, first: httpx2.Response | Exception) -> None:
    gone = problem(404, "item_not_found")

    assert call(Service(first, gone), "delete_item", "c", "a") is None
    for service in (Service(gone), Service(httpx2.ConnectError("refused"), gone)):
        with pytest.raises(ItemNotFound):
            call(service, "delete_item", "c", "a")


def test_what_is_for_once_is_not_tried_again_where_it_may_have_been_done(call: Caller) -> None:
    """A second try would find what the first one has made, and say that there was one already."""
    service = Service(httpx2.Response(429), httpx2.ReadError("gone"))
    with pytest.raises(ServiceUnreachable):
        call(service, "restore_collection", "copy", "x.snapshot")
    assert len(service.asked) == 2

    replaced = Service(httpx2.ReadError("gone"), httpx2.Response(200, json={"name": "copy", "status": "ready"}))
    assert call(replaced, "restore_collection", "copy", "x.snapshot", replace=True).name == "copy"


def test_a_slow_answer_is_given_up_at_the_deadline(call: Caller) -> None:
    def dribble() -> Iterator[bytes]:
        for _ in range(1000):
            time.sleep(0.05)
            yield b" "

    async def adribble() -> Any:
        for _ in range(1000):
            await asyncio.sleep(0.05)
            yield b" "

    service = Service(lambda _: httpx2.Response(200, content=dribble() if call.kind == "sync" else adribble()))
    started = time.monotonic()
    with pytest.raises(OutOfTime):
        call(service, "get_collection", "c", deadline_s=0.3)

    assert time.monotonic() - started < 25


def test_ready_asks_once_and_waiting_asks_until_it_is(call: Caller) -> None:
    starting = problem(503, "not_ready")

    assert call(Service(starting), "ready") is False
    assert call(Service(READY), "ready") is True
    with pytest.raises(ServiceUnreachable):
        call(Service(httpx2.ConnectError("refused")), "ready")
    service = Service(httpx2.ConnectError("refused"), starting, READY)
    call(service, "wait_until_ready", WAIT_S)
    assert len(service.asked) == 3
    with pytest.raises(Unavailable):
        call(Service(starting), "wait_until_ready", 0.0)


def test_the_key_goes_with_every_request_and_nowhere_else(call: Caller) -> None:
    moved = httpx2.Response(307, headers={"Location": "http://elsewhere/"})
    service = Service(moved)

    with pytest.raises(SpeechClipError):
        call(service, "get_collection", "c", api_key="secret")

    (request,) = service.asked
    assert request.headers["Authorization"] == "Bearer secret"
    assert str(request.url) == "http://there/v1/collections/c"


def test_pauses_double_and_are_made_longer_by_chance() -> None:
    attempts = Attempts(Retries(tries=100, first_pause_s=1, longest_pause_s=5), 10_000, repeatable=True)
    pauses = [attempts.pause_after(ServiceUnreachable("no", sent=False)) for _ in range(50)]

    for pause, least in zip(pauses, [1, 2, 4, *[5] * 47], strict=True):
        assert least <= pause <= 1.5 * least
    assert len(set(pauses)) > 40


@pytest.mark.parametrize(
    "wrong", [{"tries": 0}, {"first_pause_s": -1.0}, {"first_pause_s": 3.0, "longest_pause_s": 2.0}]
)
def test_impossible_patience_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="tries"):
        Retries(**wrong)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://there", "localhost"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        Client(url, http=httpx2.Client())
