"""What the container's health is taken from."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.patience import WAIT_S

SCRIPT = Path(__file__).resolve().parents[2] / "docker" / "healthcheck.py"


def check(port: int) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, SCRIPT],
        env={**os.environ, "SPEECHCLIP_PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    return done.returncode, done.stderr.strip()


@contextmanager
def service(status: int) -> Iterator[int]:
    """A service whose readiness is this status; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "result"), [(200, (0, "")), (503, (1, "not ready: 503"))])
def test_healthy_is_what_says_it_is_ready(status: int, result: tuple[int, str]) -> None:
    with service(status) as port:
        assert check(port) == result


def test_where_nothing_answers_it_is_not_healthy() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        status, message = check(unused.getsockname()[1])

    assert status == 1
    assert message.startswith("no answer")
