"""One WebSocket of an application in this process, spoken to as ASGI: any messages, at any pace, and any reader."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Message

from tests.fake_encoder import tone

RATE = 16_000
QUICK_S = 0.01
"""Between two answers, in tests."""


def pcm(word: str = "dog", seconds: float = 0.6, silence: float = 0.0) -> bytes:
    """A "spoken" word, and silence after it."""
    samples = np.concatenate([tone(word, seconds), np.zeros(round(silence * RATE))])
    return (samples * 32767).astype("<i2").tobytes()


def start(**options: Any) -> str:
    return json.dumps({"type": "start", **options})


END, CANCEL = '{"type":"end"}', '{"type":"cancel"}'
LEAVE = "leave"
"""The connection breaks."""


@dataclass
class Talk:
    """What a client says, one after the other; what it heard is in `heard` (JSON), and in `code` how it was closed."""

    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/stream"
    heard: list[dict[str, Any]] = field(default_factory=list)
    code: int | None = None
    denied: int | None = None
    read: int = 0
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, the client takes nothing."""

    def __post_init__(self) -> None:
        self.reading.set()
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._said.put_nowait({"type": "websocket.connect"})

    def say(self, *messages: str | bytes) -> None:
        for message in messages:
            if message == LEAVE:
                self._said.put_nowait({"type": "websocket.disconnect", "code": 1006})
            else:
                kind = "bytes" if isinstance(message, bytes) else "text"
                self._said.put_nowait({"type": "websocket.receive", kind: message})

    async def run(self, app: ASGIApp) -> None:
        await app(self.scope(), self._receive, self._send)

    async def _receive(self) -> Message:
        message = await self._said.get()
        self.read += 1
        return message

    async def _send(self, message: Message) -> None:
        await self.reading.wait()
        match message["type"]:
            case "websocket.send":
                self.heard.append(json.loads(message["text"]))
            case "websocket.close":
                assert self.code is None
                self.code = message["code"]
                # As a client does, it agrees.
                self._said.put_nowait({"type": "websocket.disconnect", "code": self.code})
            case "websocket.http.response.start":
                self.denied = message["status"]

    def scope(self) -> dict[str, Any]:
        return {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in self.headers.items()],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
            "subprotocols": [],
            "state": {},
            "extensions": {"websocket.http.response": {}},
        }


async def talk(app: ASGIApp, messages: Iterable[str | bytes]) -> Talk:
    """Say all of it at once, and listen to the end."""
    one = Talk()
    one.say(*messages)
    await one.run(app)
    return one


def said(client: TestClient, *messages: str | bytes) -> Talk:
    """The whole of a stream on which all of that is said at once."""
    assert client.portal
    return client.portal.call(talk, client.app, messages)


def problem(one: Talk, status: int, code: str, close_code: int) -> dict[str, Any]:
    """The last thing that was heard is this problem; returns it."""
    last = one.heard[-1]
    assert (last["type"], last["status"], last["code"], one.code) == ("problem", status, code, close_code)
    assert last["title"]
    assert last["detail"]
    assert last["request_id"]
    return last


def gauge(client: TestClient, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found
    return float(found[1])
