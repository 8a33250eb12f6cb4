"""A service of its own to measure: a process, its clock, and its memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.error import URLError

from app.memory import family, resident

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
START_TIMEOUT_S = 300


class Service:
    """`speechclip serve`, or a variant of it by `bench.served`; a context in which it runs and is ready."""

    def __init__(self, model: str, data: Path, variant: str | None = None, **environment: str) -> None:
        self.port = _free_port()
        settings = {
            "SPEECHCLIP_MODEL": model,
            "SPEECHCLIP_DATA": str(data),
            "SPEECHCLIP_PORT": str(self.port),
            "SPEECHCLIP_LOG_LEVEL": "warning",
        }
        command = ["app.cli", "serve"] if variant is None else ["bench.served", variant]
        self._command = [sys.executable, "-m", *command]
        self._environment = {**os.environ, **settings, **environment}
        self.ready_s = 0.0

    def __enter__(self) -> Service:
        started = time.monotonic()
        self._process = subprocess.Popen(self._command, env=self._environment)
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > started + START_TIMEOUT_S:
                raise RuntimeError("the service does not start")
            time.sleep(0.02)
        self.ready_s = time.monotonic() - started
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait()

    def cpu_s(self) -> float:
        """Seconds of CPU time of all its processes so far."""
        return sum(map(_cpu_s, family(str(self._process.pid))))

    def resident_mib(self) -> float:
        """Of all its processes; what they share counts once in each."""
        return sum(map(resident, family(str(self._process.pid)))) / MIB

    def get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def _is_ready(self) -> bool:
        try:
            return bool(self.get("/readyz")["status"] == "ready")
        except (URLError, OSError):
            return False


def _cpu_s(process: str) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
