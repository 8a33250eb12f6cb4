"""Connections that dribble, never listen, or speak no HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from app.http import protocol
from app.http.protocol import Protocol
from tests.patience import WAIT_S, wait_until

PATIENCE_S = 0.3
MIB = 1024 * 1024


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Says nothing at once; then so many MiB as the path asks for, and as many bytes as it was sent."""
    size, more = int(scope["path"][1:]) * MIB, scope["method"] == "POST"
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(size).encode())]})
    await send({"type": "http.response.body", "body": bytes(size)})


@pytest.fixture(scope="module")
def server() -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(answer, http=Protocol, lifespan="off", log_config=None))


@pytest.fixture(scope="module")
def port(server: uvicorn.Server) -> Iterator[int]:
    """The port of a server."""
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the connections that are made from now on."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(protocol, "SEND_TIMEOUT_S", PATIENCE_S)


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with connected(port) as connection:
        yield connection


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def is_refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=WAIT_S).close()
    except ConnectionRefusedError:
        return True
    return False


def read_all(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /embed HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /embed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n",
    ],
)
def test_what_is_no_http_is_refused_as_a_problem(connection: socket.socket, request_: bytes) -> None:
    connection.sendall(request_)

    head, _, body = read_all(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head.lower()
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (400, "malformed")
    assert f"x-request-id: {problem['request_id']}".encode() in head.lower()


def test_who_offers_another_protocol_with_a_body_is_answered_in_this_one(connection: socket.socket) -> None:
    """As Java's client does; not every parser reads the body then."""
    offer = b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    connection.sendall(b"POST /0 HTTP/1.1\r\nHost: x\r\n" + offer + b"Content-Length: 5\r\n\r\nhello")

    head, _, body = read_all(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == bytes(5)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("first", [b"", b"GET /0 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_head_that_never_ends_is_given_up(port: int, first: bytes) -> None:
    """The first of a connection, and a later one."""
    started_at = time.monotonic()
    with connected(port) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(first)
        while time.monotonic() < started_at + WAIT_S:
            connection.sendall(b"G")
            time.sleep(0.02)

    assert PATIENCE_S / 2 < time.monotonic() - started_at < WAIT_S


@pytest.mark.usefixtures("impatient")
def test_a_silent_connection_is_given_up(connection: socket.socket) -> None:
    assert connection.recv(1) == b""


def test_an_answer_that_nobody_takes_is_given_up(impatient: None, server: uvicorn.Server, port: int) -> None:
    wait_until(lambda: not server.server_state.connections)
    with connected(port) as connection:
        connection.sendall(b"GET /64 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = len(connection.recv(1))
        wait_until(lambda: not server.server_state.connections)
        received += taken(connection)

    assert received < 64 * MIB


def taken(connection: socket.socket, pause_s: float = 0.0) -> int:
    """How many bytes come, to the end."""
    received = 0
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(MIB):
            received += len(piece)
            time.sleep(pause_s)
    return received


def test_an_answer_that_is_taken_slowly_arrives(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take longer than the patience. A taker who was held up by chance tries again where there is more of it."""
    assert any(arrives_slowly(port, patience_s, monkeypatch) for patience_s in (PATIENCE_S, 1.0, 2.0, 4.0, 8.0))


def arrives_slowly(port: int, patience_s: float, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(protocol, "SEND_TIMEOUT_S", patience_s)
    with connected(port) as connection:
        connection.sendall(b"GET /8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        began = time.monotonic()
        received = taken(connection, patience_s / 10)
    return received > 8 * MIB and time.monotonic() - began > patience_s


def test_a_request_on_its_way_while_the_server_stops_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER_S", 30.0)
    with stopping_server() as connection:
        wait_until(lambda: is_refused(connection.getpeername()))
        connection.sendall(b"GET /0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 200 OK")


def test_an_idle_connection_does_not_hold_a_stop_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER_S", 0.1)
    with stopping_server() as connection:
        assert read_all(connection) == b""


@contextlib.contextmanager
def stopping_server() -> Iterator[socket.socket]:
    """A connection that was answered once, to a server that was told to stop, and has stopped afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(answer, http=Protocol, lifespan="off", log_config=None))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        with socket.create_connection(listening.getsockname(), timeout=WAIT_S) as connection:
            connection.sendall(b"GET /0 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
            server.should_exit = True
            yield connection
        thread.join(WAIT_S)
        assert not thread.is_alive()
