"""Clients that ask as fast as they are answered, or as often as they are told to, from one event loop.

They write HTTP by hand: whatever they use of the machine, the service that is measured cannot.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.sounds import Sound

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """status: of HTTP, or 0 where there was none; began_s: on the clock of `time.perf_counter`."""

    status: int
    began_s: float
    took_s: float
    body: dict[str, Any]
    seconds: float


class Client:
    """One connection, made anew where the service closes it."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, sound: Sound) -> Answer:
        """As every client does, anew on another connection where one that was kept has been closed meanwhile."""
        began, kept = time.perf_counter(), self._stream is not None
        try:
            status, body = await self._exchange(sound)
        except (OSError, EOFError):
            self.close()
            if kept:
                return await self.ask(sound)
            status, body = 0, {}
        return Answer(status, began, time.perf_counter() - began, body, sound.seconds)

    def close(self) -> None:
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None

    async def _exchange(self, sound: Sound) -> tuple[int, dict[str, Any]]:
        if self._stream is None:
            self._stream = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._stream
        head = f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {sound.media_type}\r\n"
        writer.write(f"{head}Content-Length: {len(sound.data)}\r\n\r\n".encode() + sound.data)
        lines = (await reader.readuntil(HEAD_END)).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return int(lines[0].split()[1]), json.loads(body)


async def closed_loop(port: int, path: str, sounds: Sequence[Sound], clients: int, for_s: float) -> list[Answer]:
    """So many clients, each of which asks anew as soon as it is answered."""
    until, answers, supply = time.perf_counter() + for_s, list[Answer](), itertools.cycle(sounds)

    async def one() -> None:
        client = Client(port, path)
        while time.perf_counter() < until:
            answers.append(await client.ask(next(supply)))
        client.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    return answers


async def open_loop(port: int, path: str, sounds: Sequence[Sound], rate: float, for_s: float) -> list[Answer]:
    """So many queries every second, whether or not those before them are answered."""
    idle, answers, running = list[Client](), list[Answer](), set[asyncio.Task[None]]()

    async def one(sound: Sound) -> None:
        client = idle.pop() if idle else Client(port, path)
        answers.append(await client.ask(sound))
        idle.append(client)

    for due, sound in zip(_due(rate, for_s), itertools.cycle(sounds), strict=False):
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(sound))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    for client in idle:
        client.close()
    return answers


def _due(rate: float, for_s: float) -> Iterator[float]:
    start = time.perf_counter()
    return (start + number / rate for number in range(int(rate * for_s)))
