"""Who is on the ports."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from app.diagnosis import ports
from app.settings import Settings
from app.version import DISTRIBUTION, service_version
from tests.app.diagnosis.told import told
from tests.patience import WAIT_S


class Answers:
    """A program on a port: what it says to each path."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answers.get(self.path.strip("/"), (404, "nothing"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def info(version: str) -> tuple[int, str]:
    return 200, json.dumps({"name": DISTRIBUTION, "version": version})


@pytest.mark.parametrize(
    ("answers", "level", "words"),
    [
        ({"readyz": (200, "{}"), "info": info(service_version())}, "ok", "and is ready"),
        ({"readyz": (200, "{}"), "info": info("0.0.1")}, "warn", "restart it"),
        ({"readyz": (503, '{"code": "not_ready", "detail": "loading"}')}, "warn", "loading"),
        ({"readyz": (401, '{"code": "unauthorized"}')}, "ok", "the service answers"),
        ({"readyz": (404, "nothing")}, "fail", "not this service"),
        ({"readyz": (500, "[1, 2]")}, "fail", "not this service"),
    ],
)
def test_who_answers_on_the_port(
    settings: Settings, answers: dict[str, tuple[int, str]], level: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "PATIENCE_S", WAIT_S)
    with Answers(**answers) as program:
        assert words in told(ports.check_ports(settings.model_copy(update={"port": program.port})), level)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody takes connections there and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_program_that_says_nothing_is_somebody_else(
    settings: Settings, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "PATIENCE_S", 0.2)

    assert "somebody else" in told(ports.check_ports(settings.model_copy(update={"port": silent_port})), "fail")


def test_free_ports_and_addresses_that_are_not_ours(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    for host in ("127.0.0.1", "0.0.0.0", "localhost"):
        assert "free" in told(ports.check_ports(settings.model_copy(update={"port": free, "host": host})), "ok")
    away = settings.model_copy(update={"host": "203.0.113.7"})
    assert "cannot listen on 203.0.113.7" in told(ports.check_ports(away), "fail")
    assert "chooses" in told(ports.check_ports(settings.model_copy(update={"port": 0})), "ok")


def test_low_ports_are_for_root(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_first_port", lambda: 1024)
    monkeypatch.setattr(ports, "_listens", lambda host, port: False)

    assert "only root" in told(ports.check_ports(settings.model_copy(update={"port": 80})), "fail")
