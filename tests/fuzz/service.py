"""The service as a process of its own, and what a stranger's request gets from it."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import httpx2

from tests.fuzz.requests import Request

ROOT = Path(__file__).resolve().parents[2]
START_S = 600.0
ANSWER_S = 120.0
STOP_S = 120.0


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Service:
    """Runs `command`, with its log in a file of the folder `data`."""

    def __init__(self, command: Sequence[str], data: Path, **environment: str) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._log = data / "log.txt"
        ours = {"SPEECHCLIP_DATA": str(data), "SPEECHCLIP_PORT": "0", "SPEECHCLIP_BODY_TIMEOUT_S": "3"}
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._file: TextIO = self._log.open("w")
        self._process = subprocess.Popen(
            list(command),
            env={**os.environ, "PYTHONPATH": paths, **ours, **environment},
            stderr=self._file,
            stdout=subprocess.DEVNULL,
        )
        self.port = int(self._wait_for(r"listening url=http://127\.0\.0\.1:(\d+)"))
        self._wait_for(r"(INFO app\.startup ready)")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def ask(self, request: Request) -> Answer | None:
        """None when the service closed the connection without a word. Raises `TimeoutError`, or `HTTPException`."""
        with socket.create_connection(("127.0.0.1", self.port), ANSWER_S) as connection:
            try:
                connection.sendall(request.wire())
                if not request.whole:
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # an answer may have overtaken the body
            return _answer(connection, request.method)

    def json(self, path: str) -> dict[str, object]:
        found: dict[str, object] = httpx2.get(self.url + path, timeout=ANSWER_S).raise_for_status().json()
        return found

    def memory(self) -> tuple[int, int]:
        """MiB that the service has in memory, and that all processes have which it has started."""
        # Of every thread its own: a process is the child of the one that started it.
        found = [path.read_text().split() for path in Path(f"/proc/{self._process.pid}/task").glob("*/children")]
        return _resident(self._process.pid), sum(_resident(int(pid)) for pids in found for pid in pids)

    def terminate(self) -> None:
        """As an operator does; a second time, it ends without waiting for those who may still come."""
        self._process.terminate()

    def stop(self) -> int:
        """The same; returns the status with which it ended."""
        self.terminate()
        try:
            return self._process.wait(STOP_S)
        finally:
            self._process.kill()
            self._file.close()

    def _wait_for(self, pattern: str) -> str:
        until = time.monotonic() + START_S
        while not (found := re.search(pattern, self.log)):
            if not self.alive or time.monotonic() > until:
                raise RuntimeError(f"the service does not start: {self.log[-2000:]}")
            time.sleep(0.05)
        return found[1]


def _answer(connection: socket.socket, method: bytes) -> Answer | None:
    answer = http.client.HTTPResponse(connection, method=method.decode("latin-1").upper())
    try:
        answer.begin()
        return Answer(answer.status, answer.headers, answer.read())
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return None
    finally:
        answer.close()


def _resident(pid: int) -> int:
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except FileNotFoundError:
        return 0
    return int(found[1]) // 1024 if found else 0
