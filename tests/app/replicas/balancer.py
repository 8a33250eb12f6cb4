"""One address before several copies of the service, as a cluster's Service is: it hands out connections in turn."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx2

from tests.patience import WAIT_S

PROBE_S = 0.1
CHUNK = 65_536


class Balancer:
    """New connections go to those whose `/readyz` is 200, one after another; running ones stay where they are.

    Where nobody is ready they wait.
    Nothing is tried again: a connection that leads nowhere is closed. To be used as a context, which runs it in a
    thread of its own.
    """

    def __init__(self) -> None:
        self._ready: dict[int, bool] = {}
        self._turn = 0
        self.led: Counter[int] = Counter()
        """How many connections were led to each port."""
        self._started = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def ready(self) -> list[int]:
        return [port for port, ready in self._ready.items() if ready]

    def add(self, port: int) -> None:
        self._ready = {**self._ready, port: False}

    def remove(self, port: int) -> None:
        self._ready = {other: ready for other, ready in self._ready.items() if other != port}

    @contextmanager
    def running(self) -> Iterator[Balancer]:
        thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="balancer")
        thread.start()
        try:
            assert self._started.wait(WAIT_S)
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stopping.set)
            thread.join(WAIT_S)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._probed = asyncio.Condition()
        server = await asyncio.start_server(self._lead, "127.0.0.1", 0)
        self._port: int = server.sockets[0].getsockname()[1]
        self._started.set()
        async with httpx2.AsyncClient(timeout=WAIT_S) as http:
            while not self._stopping.is_set():
                await asyncio.gather(*(self._probe(http, port) for port in self._ready))
                async with self._probed:
                    self._probed.notify_all()
                await asyncio.sleep(PROBE_S)
        server.close()

    async def _probe(self, http: httpx2.AsyncClient, port: int) -> None:
        try:
            ready = (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx2.TransportError:
            ready = False
        if port in self._ready:
            self._ready[port] = ready

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._probed:
                ready = await self._probed.wait_for(lambda: self.ready)
            self._turn += 1
            port = ready[self._turn % len(ready)]
            self.led[port] += 1
            await _join(port, reader, writer)
        except OSError:
            writer.transport.abort()
        finally:
            writer.close()


async def _join(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)
    try:
        await asyncio.gather(_carry(reader, back), _carry(there, writer))
    finally:
        back.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, to its end. Raises `OSError` where it is cut."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    with suppress(OSError):  # the other side is gone, and its direction tells
        writer.write_eof()
