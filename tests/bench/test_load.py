"""Sounds, clients, and what they were answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import numpy as np
import pytest

from bench.http import rate
from bench.load import HEAD_END, Answer, Client, closed_loop, open_loop
from bench.sounds import KINDS, Kind, mixed, sound
from models.audio import decode

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"number": 1}'
BUSY = b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


def asked(answers: list[bytes], work: Callable[[int], Awaitable[list[Answer]]]) -> list[Answer]:
    """What clients saw of a server that gives these answers in turn, and again from the first."""
    given, writers = 0, list[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal given
        writers.append(writer)
        try:
            while True:
                head = (await reader.readuntil(HEAD_END)).decode()
                length = next(line for line in head.split("\r\n") if line.startswith("Content-Length"))
                await reader.readexactly(int(length.split(": ")[1]))
                answer, given = answers[given % len(answers)], given + 1
                writer.write(answer)
                if b"close" in answer or not answer:
                    break
        except (EOFError, ConnectionError):
            pass
        writer.close()

    async def run() -> list[Answer]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            found = await work(server.sockets[0].getsockname()[1])
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_sound_is_as_long_as_it_says(kind: Kind) -> None:
    made = sound(2.0, kind, np.random.default_rng(0))

    assert decode(made.data).seconds == pytest.approx(2.0, abs=0.1)


def test_the_same_seed_makes_the_same_sounds() -> None:
    # Their samples: some containers carry the time at which they were written.
    first, again = ([decode(one.data).samples for one in mixed(8, 3)] for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert not np.array_equal(first[0], decode(mixed(1, 4)[0].data).samples)


def test_clients_tell_answers_refusals_and_lost_connections() -> None:
    async def work(port: int) -> list[Answer]:
        client = Client(port, "/")
        answers = [await client.ask(mixed(1, 0)[0]) for _ in range(5)]
        client.close()
        return answers

    found = asked([OK, BUSY, b"", OK, b"", BUSY], work)
    # The fourth was kept open and closed by the server, so it was asked again.
    assert [one.status for one in found] == [200, 429, 0, 200, 429]
    assert found[0].body == {"number": 1}


def test_a_closed_loop_asks_as_fast_as_it_is_answered() -> None:
    rates = []
    for _ in range(10):  # what else the machine does may hold one up
        found = asked([OK], lambda port: closed_loop(port, "/", mixed(2, 0), 3, 0.3))
        assert {one.status for one in found} == {200}
        rates.append(rate(found))
        if len(found) > 3 and rates[-1] > 10:
            return
    pytest.fail(f"{rates} answers in a second")


def test_an_open_loop_asks_as_often_as_it_should() -> None:
    assert len(asked([OK, BUSY], lambda port: open_loop(port, "/", mixed(2, 0), 50, 0.5))) == 25
