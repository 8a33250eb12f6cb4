"""Bodies: too large, too slow, too many, and what their senders are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from app.errors import ServiceError, problem
from app.http import limits
from app.http.context import RequestContext
from app.http.limits import BodyLimits
from app.metrics import Metrics
from app.settings import Settings
from app.tracing import Untraced
from tests.app.asgi import Exchange
from tests.app.problems import assert_problem

MOST = 4096
CHUNK = b"x" * 1024


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with the size of the body."""
    try:
        size = len(await Request(scope, receive).body())
    except ServiceError as error:
        request_id = scope["state"]["request_id"]
        await problem(error, path=scope["path"], request_id=request_id)(scope, receive, send)
    else:
        await PlainTextResponse(str(size))(scope, receive, send)


async def read_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("not interested")(scope, receive, send)


class House:
    """The middleware around an application, with small limits."""

    def __init__(self, app: object = read_all, **changes: float) -> None:
        settings = Settings(max_body_bytes=MOST).model_copy(update=changes)
        self.metrics = Metrics()
        limits = BodyLimits(app, settings, self.metrics)  # type: ignore[arg-type]
        self.app = RequestContext(limits, self.metrics, Untraced(), 0, lambda: False)

    def ask(self, body: list[bytes], **headers: str) -> tuple[httpx2.Response, Exchange]:
        exchange = Exchange(headers={name.replace("_", "-"): value for name, value in headers.items()})
        return asyncio.run(exchange.run(self.app, body)), exchange


def test_a_body_up_to_the_limit_is_passed_on() -> None:
    answer, _ = House().ask([CHUNK] * 4, content_length=str(MOST))
    assert answer.text == str(MOST)

    answer, _ = House().ask([CHUNK] * 4, transfer_encoding="chunked")
    assert answer.text == str(MOST)


def test_a_declared_length_over_the_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINGER_S", 0.0)
    answer, exchange = House().ask([CHUNK] * 5, content_length=str(MOST + 1))

    assert str(MOST) in assert_problem(answer, 413, "body_too_large")["detail"]
    assert answer.headers["connection"] == "close"
    assert exchange.read == 0


@pytest.mark.parametrize("headers", [{"transfer_encoding": "chunked"}, {"content_length": "1"}])
def test_a_body_of_unknown_or_wrong_length_is_cut_where_it_goes_over(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINGER_S", 0.0)
    answer, exchange = House().ask([CHUNK] * 100, **headers)

    assert_problem(answer, 413, "body_too_large")
    assert MOST < exchange.read <= MOST + len(CHUNK)


def test_an_early_answer_is_out_before_the_rest_of_the_body_is_thrown_away() -> None:
    """A client that still sends would lose the answer if the connection were closed on it."""
    _, exchange = House().ask([CHUNK] * 8, transfer_encoding="chunked")

    assert exchange.read == 8 * len(CHUNK)
    first_body = next(one for one in exchange.messages if one["type"] == "http.response.body")
    assert first_body["body"]
    assert first_body["more_body"] is True


def test_who_asks_before_sending_is_not_waited_for() -> None:
    answer, exchange = House().ask([CHUNK] * 8, content_length=str(8 * len(CHUNK)), expect="100-continue")

    assert_problem(answer, 413, "body_too_large")
    assert exchange.read == 0


def test_a_body_that_nobody_reads_is_thrown_away() -> None:
    answer, exchange = House(read_nothing).ask([CHUNK] * 3, content_length=str(3 * len(CHUNK)))

    assert answer.text == "not interested"
    assert exchange.read == 3 * len(CHUNK)


def test_a_slow_body_is_given_up() -> None:
    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.02)

    exchange = Exchange(headers={"transfer-encoding": "chunked"})
    house = House(body_timeout_s=0.1)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(limits, "LINGER_S", 0.0)
    answer = asyncio.run(exchange.run(house.app, trickle()))
    monkey.undo()

    assert_problem(answer, 408, "request_timeout")
    assert exchange.read <= 20


def test_the_time_for_a_body_does_not_limit_the_time_for_the_answer() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        gone = asyncio.ensure_future(receive())  # as one waits for a client to leave
        loop.late_s = 1000.0
        await asyncio.sleep(0.01)
        assert not gone.done()
        gone.cancel()
        await PlainTextResponse("done")(scope, receive, send)

    loop, exchange = Late(), Exchange(headers={"content-length": str(len(CHUNK))})
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        answer = runner.run(exchange.run(House(slow, body_timeout_s=500.0).app, [CHUNK]))
    assert answer.text == "done"


class Late(asyncio.SelectorEventLoop):
    """Time goes by in it at once."""

    late_s = 0.0

    def time(self) -> float:
        return super().time() + self.late_s


def test_all_bodies_together_have_a_limit_and_it_is_given_back() -> None:
    async def crowd(house: House) -> list[httpx2.Response]:
        half = asyncio.Barrier(4)

        async def two_pieces() -> AsyncIterator[bytes]:
            yield CHUNK
            await half.wait()
            yield CHUNK

        crowd = [Exchange(headers={"content-length": str(2 * len(CHUNK))}) for _ in range(4)]
        return list(await asyncio.gather(*(one.run(house.app, two_pieces()) for one in crowd)))

    house = House(max_buffered_bytes=4 * len(CHUNK) + 512)
    answers = asyncio.run(crowd(house))

    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert_problem(refused, 429, "overloaded")
    assert refused.headers["retry-after"] == "1"
    assert b"speechclip_buffered_bytes 0.0" in house.metrics.render()
    assert house.ask([CHUNK] * 2, content_length=str(2 * len(CHUNK)))[0].text == str(2 * len(CHUNK))


def test_what_is_no_request_passes() -> None:
    seen = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> dict[str, str]:
        return {}

    asyncio.run(House(note).app({"type": "lifespan"}, nothing, nothing))  # type: ignore[arg-type]
    assert seen == ["lifespan"]


def test_a_snapshot_is_passed_on_and_only_its_piece_at_hand_counts_as_held() -> None:
    held = list[float]()

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        async for _ in Request(scope, receive).stream():
            held.append(house.metrics.buffered._value.get())
        await PlainTextResponse(str(len(held)))(scope, receive, send)

    house = House(note, max_buffered_bytes=2 * len(CHUNK), max_snapshot_bytes=64 * len(CHUNK))
    exchange = Exchange("/v1/snapshots", headers={"transfer-encoding": "chunked"})
    answer = asyncio.run(exchange.run(house.app, [CHUNK] * 64))

    assert (answer.status_code, answer.text) == (200, "65")
    assert set(held) == {len(CHUNK), 0}


def test_a_snapshot_has_the_time_of_a_body_for_each_of_its_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STRETCH", 4 * len(CHUNK))
    times = list[float | None]()
    inner = limits._Body._in_time

    async def note(body: limits._Body) -> Message:
        message = await inner(body)
        times.append(body._late_at)
        return message

    monkeypatch.setattr(limits._Body, "_in_time", note)
    house = House(max_snapshot_bytes=64 * len(CHUNK), body_timeout_s=1000)
    snapshot = Exchange("/snapshots", headers={"transfer-encoding": "chunked"})
    query = Exchange(headers={"transfer-encoding": "chunked"})

    assert asyncio.run(snapshot.run(house.app, [CHUNK] * 12)).status_code == 200
    assert len(set(times)) == 4  # four pieces each, and the end
    times.clear()
    assert asyncio.run(query.run(house.app, [CHUNK] * 3)).status_code == 200
    assert len(set(times)) == 1
