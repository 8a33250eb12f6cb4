"""WebSockets on a real socket: handshakes, frames and readers of every bad kind."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from app.http import socket_protocol
from app.http.socket_protocol import is_handshake
from app.main import create_app
from app.settings import Settings
from tests.browser import serving
from tests.fake_encoder import FakeEncoder
from tests.patience import WAIT_S, wait_until

KEY = base64.b64encode(bytes(16))
PATIENCE_S = 0.3

TEXT, BINARY, CONTINUED, PING = 0x1, 0x2, 0x0, 0x9


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, collections: Path) -> Iterator[str]:
    """A service with little patience for those who take nothing."""
    data = tmp_path_factory.mktemp("sockets")
    shutil.copytree(collections, data / "collections")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket_protocol, "SEND_TIMEOUT_S", PATIENCE_S)
        with serving(create_app(Settings(data=data), FakeEncoder())) as url:
            yield url


@pytest.fixture
def stream(url: str) -> Iterator[ClientConnection]:
    with connect(
        f"{url.replace('http', 'ws')}/stream", compression=None, open_timeout=WAIT_S, close_timeout=WAIT_S
    ) as stream:
        yield stream


def handshake(url: str, **headers: str) -> httpx2.Response:
    usual = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    given = (
        usual | {"Sec-WebSocket-Key": KEY.decode()} | {name.replace("_", "-"): text for name, text in headers.items()}
    )
    return httpx2.get(f"{url}/stream", headers=given, timeout=WAIT_S)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_WebSocket_Version": "12"},
        {"Sec_WebSocket_Key": "short"},
        {"Sec_WebSocket_Key": "!" * 24},
        {"Sec_WebSocket_Key": ""},
        {"Upgrade": "h2c"},
    ],
)
def test_a_handshake_that_is_none_is_answered_with_a_problem(url: str, headers: dict[str, str]) -> None:
    answer = handshake(url, **headers)
    assert (answer.status_code, answer.json()["code"]) == (426, "upgrade_required")


def test_other_paths_are_no_websockets_and_answer_as_they_do() -> None:
    good = {b"sec-websocket-key": KEY, b"sec-websocket-version": b"13"}
    assert is_handshake("GET", "/stream", good)
    assert is_handshake("GET", "/v1/stream", good)
    assert not is_handshake("GET", "/livez", good)
    assert not is_handshake("POST", "/stream", good)
    assert not is_handshake("GET", "/stream", {b"sec-websocket-version": b"13"})


def frame(kind: int, data: bytes = b"", *, last: bool = True, masked: bool = True) -> bytes:
    """As a client sends it, masked with zeros."""
    size = len(data)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size)
    mask = bytes(4) if masked else b""
    return bytes([kind | (0x80 if last else 0), length[0] | (0x80 if masked else 0)]) + length[1:] + mask + data


def raw(url: str) -> socket.socket:
    """A socket that has become a WebSocket."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=WAIT_S)
    lines = ["GET /stream HTTP/1.1", f"Host: {host}:{port}", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY.decode()}", "", ""]
    connection.sendall("\r\n".join(lines).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    return connection


def close_code(connection: socket.socket) -> int | None:
    """Of the close frame that ends what comes; None for an end without one."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            received += piece
    at = received.rfind(b"\x88")
    return None if at < 0 else int(struct.unpack(">H", received[at + 2 : at + 4])[0])


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(BINARY, bytes(4), masked=False), 1002),
        (frame(0x3, b"?"), 1002),
        (b"\xf2\x84" + bytes(8), 1002),
        (frame(CONTINUED, b"?"), 1002),
        (frame(TEXT, b"\xff\xfe"), 1007),
        (b"\x82\xff" + struct.pack(">Q", 1 << 40), 1009),
        (frame(TEXT, b"x", last=False) + frame(CONTINUED, last=False) * 5000, 1009),
        (frame(BINARY, bytes(60_000), last=False) + frame(CONTINUED, bytes(60_000), last=False) * 20, 1009),
    ],
    ids=["no mask", "an unknown kind", "reserved bits", "no beginning", "no UTF-8", "a terabyte", "endless", "large"],
)
def test_frames_that_are_none_close_the_stream(url: str, sent: bytes, code: int) -> None:
    with raw(url) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        assert close_code(connection) == code


def test_a_close_is_answered(stream: ClientConnection) -> None:
    stream.send('{"type":"start"}')
    stream.recv(WAIT_S)
    stream.close()
    assert stream.close_code == 1000


def test_messages_in_fragments(stream: ClientConnection) -> None:
    stream.send(["{", '"type":', '"start"}'])
    assert json.loads(stream.recv(WAIT_S))["type"] == "ready"


def test_who_asks_and_never_reads_is_given_up(url: str) -> None:
    """Pings have to be answered, and each answer would wait."""
    with raw(url) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        pings = frame(PING, os.urandom(100)) * 1000
        with pytest.raises(ConnectionError):
            connection.sendall(pings * 1000)


def test_a_connection_that_breaks_costs_nothing(url: str) -> None:
    for _ in range(20):
        with raw(url) as connection:
            connection.sendall(frame(TEXT, b'{"type":"start"}') + frame(BINARY, bytes(3200)))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: "speechclip_streams 0.0" in httpx2.get(f"{url}/metrics", timeout=WAIT_S).text)


def test_a_refusal_is_read_by_who_speaks_on(stream: ClientConnection) -> None:
    """A client that sends for some time before it listens gets to know why."""
    with contextlib.suppress(ConnectionClosed):
        stream.send("nonsense")
        for _ in range(50):
            stream.send(bytes(3200))
    assert json.loads(stream.recv(WAIT_S))["code"] == "malformed"
    with pytest.raises(ConnectionClosed):
        stream.recv(WAIT_S)
    assert stream.close_code == 1007
