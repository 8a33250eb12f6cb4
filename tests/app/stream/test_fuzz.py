"""Whatever is said, in whatever order: a message that is documented, and a close; never a mistake of the service's."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.stream import answering, conversation
from tests.app.stream.talk import CANCEL, END, LEAVE, Talk, pcm, start
from tests.fake_encoder import spoken
from tests.patience import WAIT_S

CONVERSATIONS = 2000
AT_ONCE = 16

GOOD_CLOSES = {1000, 1007, 1008, 1009, 1013}
FILE = spoken("dog", 0.3)
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    16_000,
    2**70,
    "",
    "images",
    "x" * 300,
    [],
    [[]],
    {},
    {"images": 3},
    {"a": {}},
]
FIELDS = ["type", "format", "rate", "searches", "keywords", "words", "branch", "filter", "x", ""]


def any_json(chance: random.Random) -> str:
    values = {chance.choice(FIELDS): chance.choice(VALUES) for _ in range(chance.randrange(5))}
    kind = chance.choice(["start", "start", "end", "cancel", "ready", None, 3])
    return json.dumps(values | ({"type": kind} if chance.random() < 0.8 else {}))


def good_start(chance: random.Random) -> str:
    options = {
        "format": chance.choice(["pcm", "container"]),
        "rate": chance.choice([8000, 16_000, 48_000]),
        "keywords": chance.choice([0, 3]),
        "searches": chance.choice([{}, {"images": 1}, {"captions": 2, "odd": 100}]),
    }
    return start(**{name: value for name, value in options.items() if chance.random() < 0.5})


def any_bytes(chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice([0, 1, 2, 3, 640, 9601]))


def damaged(chance: random.Random) -> bytes:
    data = bytearray(FILE)
    for _ in range(chance.randrange(4)):
        data[chance.randrange(60)] = chance.randrange(256)
    return bytes(data[: chance.randrange(len(data))])


SAYINGS: list[Callable[[random.Random], str | bytes]] = [
    good_start,
    any_json,
    any_bytes,
    damaged,
    lambda chance: pcm(chance.choice(["dog", "cat"]), chance.choice([0.01, 0.4]), chance.choice([0.0, 1.1])),
    lambda chance: FILE,
    lambda chance: END,
    lambda chance: chance.choice([CANCEL, LEAVE]),
    lambda chance: "".join(chr(chance.randrange(32, 0x2FFF)) for _ in range(chance.randrange(20))),
    lambda chance: chance.choice(["[" * 5000, '{"a":' * 5000, "0," * 9000, "\0", '"', "9" * 5000]),
]


def conversation_of(seed: int) -> list[str | bytes]:
    chance = random.Random(seed)
    messages = [chance.choice(SAYINGS)(chance) for _ in range(chance.randrange(7))]
    return ([good_start(chance)] if chance.random() < 0.7 else []) + messages


async def all_of_them(client: TestClient) -> list[tuple[int, Talk]]:
    turn, done = asyncio.Semaphore(AT_ONCE), list[tuple[int, Talk]]()

    async def one(seed: int) -> None:
        talk = Talk()
        talk.say(*conversation_of(seed))
        async with turn, asyncio.timeout(WAIT_S):
            await talk.run(client.app)
        done.append((seed, talk))

    async with asyncio.TaskGroup() as group:
        for seed in range(CONVERSATIONS):
            group.create_task(one(seed))
    return done


def test_any_sequence_of_messages(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "INTERVAL_S", 0.002)
    monkeypatch.setattr(answering, "pause_s", lambda took_s: 0.002)
    monkeypatch.setattr(conversation, "IDLE_S", 0.05)
    assert client.portal

    for seed, talk in client.portal.call(all_of_them, client):
        kinds = [message["type"] for message in talk.heard]
        left = LEAVE in conversation_of(seed) and talk.code is None
        assert left or talk.code in GOOD_CLOSES, (seed, talk.code, talk.heard)
        assert kinds[:1] in (["ready"], ["problem"], []), (seed, kinds)
        assert set(kinds[1:-1]) <= {"interim"}, (seed, kinds)
        if talk.code not in (None, 1000):
            assert kinds[-1] == "problem", (seed, kinds)
            assert talk.heard[-1]["status"] < 500 or talk.code == 1013, (seed, talk.heard)
    assert "speechclip_streams 0.0" in client.get("/metrics").text
