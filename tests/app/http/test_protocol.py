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

PATIENCE_S = 0.3
MIB = 1024 * 1024


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Says nothing at once; then so many MiB as the path asks for."""
    size = int(scope["path"][1:]) * MIB
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(size).encode())]})
    await send({"type": "http.response.body", "body": bytes(size)})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server with little patience."""
    patch = pytest.MonkeyPatch()
    patch.setattr(protocol, "HEAD_TIMEOUT_S", PATIENCE_S)
    patch.setattr(protocol, "SEND_TIMEOUT_S", PATIENCE_S)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(answer, http=Protocol, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()
    listening.close()
    patch.undo()


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        yield connection


def is_refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=10).close()
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


@pytest.mark.parametrize("first", [b"", b"GET /0 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_head_that_never_ends_is_given_up(connection: socket.socket, first: bytes) -> None:
    """The first of a connection, and a later one."""
    connection.sendall(first)
    started_at = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < started_at + 10:
            connection.sendall(b"G")
            time.sleep(0.02)

    assert PATIENCE_S / 2 < time.monotonic() - started_at < 5


def test_a_silent_connection_is_given_up(connection: socket.socket) -> None:
    assert connection.recv(1) == b""


def test_an_answer_that_nobody_takes_is_given_up(connection: socket.socket) -> None:
    connection.sendall(b"GET /64 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    time.sleep(2 * PATIENCE_S)

    received = 0
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(MIB):
            received += len(piece)
    assert received < 64 * MIB


def test_an_answer_that_is_taken_slowly_arrives(connection: socket.socket) -> None:
    connection.sendall(b"GET /8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    received = 0
    while piece := connection.recv(MIB):
        received += len(piece)
        time.sleep(PATIENCE_S / 10)

    assert received > 8 * MIB


def test_a_request_on_its_way_while_the_server_stops_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER_S", 30.0)
    with stopping_server() as connection:
        while not is_refused(connection.getpeername()):
            time.sleep(0.01)
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
        with socket.create_connection(listening.getsockname(), timeout=10) as connection:
            connection.sendall(b"GET /0 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
            server.should_exit = True
            yield connection
        thread.join(10)
        assert not thread.is_alive()
