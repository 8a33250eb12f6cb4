"""A real process on a real socket: signals, large bodies, and what uvicorn is told."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app import server
from app.settings import Settings
from tests.app.problems import assert_problem
from tests.patience import WAIT_S, wait_until

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys, time, types
from tests.fake_encoder import FakeEncoder

class Weak(FakeEncoder):
    works = True

    def _embed(self, kind, words):
        self.works = self.works and "break" not in words
        if not self.works:
            raise RuntimeError("the device is lost")
        time.sleep(1.0 if "slow" in words else 0.0)
        return super()._embed(kind, words)

def prepare_collections(store, encoder, progress):
    for name in ("images", "captions", "keywords"):
        if name not in store.names():
            store.create(name, name, encoder.dim, encoder.fingerprint).close()

sys.modules["app.demo"] = types.SimpleNamespace(
    prepare_collections=prepare_collections, is_default=lambda collection: False
)

from app import startup
from app.server import serve
from app.settings import Settings
startup.ApartEncoder = lambda model, precision, on_restart: Weak()
serve(Settings())
"""


class Process:
    """The service with a fake model; `log` grows while it runs."""

    def __init__(self, data: Path, **more: str) -> None:
        environment = {"SPEECHCLIP_DATA": str(data), "SPEECHCLIP_PORT": "0", "PYTHONPATH": str(ROOT), **more}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.url = self.wait_for(r"listening url=(\S+)")
        self.wait_for("INFO app.startup ready")

    def wait_for(self, pattern: str) -> str:
        until = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, "".join(self.log))):
            assert time.monotonic() < until, self.log
            time.sleep(0.01)
        return found[found.re.groups]

    def end(self) -> int:
        status = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        assert self.process.stderr
        self.process.stderr.close()
        return status

    def _read(self) -> None:
        assert self.process.stderr
        self.log.extend(self.process.stderr)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, SPEECHCLIP_DRAIN_S=str(WAIT_S))
    yield process
    with contextlib.suppress(ProcessLookupError):
        process.process.kill()
    process.end()


def test_a_life(service: Process) -> None:
    """One process for all of it, because each start costs seconds."""
    with httpx2.Client(base_url=service.url, timeout=WAIT_S) as http:
        answers_without_naming_itself(http)
        reads_a_large_body_to_its_sender_s_end(http)
        a_chunked_body_is_cut(http)
        a_live_search_is_sent_away_at_sigterm_and_a_slow_query_survives_it(service, http)

    assert service.end() == 0
    log = "".join(service.log)
    assert "Traceback" not in log
    assert "stopping signal=SIGTERM" in log
    assert "path=/embed status=200" in log
    assert "path=/stream status=503" in log
    assert "private" not in log


def answers_without_naming_itself(http: httpx2.Client) -> None:
    answer = http.post("/search/images?min_score=0.5", json={"text": "something private"})
    assert (answer.status_code, answer.json()["results"]) == (200, [])
    assert "server" not in answer.headers


def reads_a_large_body_to_its_sender_s_end(http: httpx2.Client) -> None:
    """A client that sends everything before it listens still gets to read why it was refused."""
    answer = http.post("/search/images", content=bytes(30 * 1024 * 1024), headers={"Content-Type": "audio/wav"})
    assert_problem(answer, 413, "body_too_large")
    assert answer.headers["connection"] == "close"


def a_chunked_body_is_cut(http: httpx2.Client) -> None:
    for method, path, kind in (
        ("POST", "/search/images", "audio/wav"),
        ("PUT", "/collections/new", "application/json"),
    ):
        chunks = (bytes(1024 * 1024) for _ in range(20))
        answer = http.request(method, path, content=chunks, headers={"Content-Type": kind})
        assert_problem(answer, 413, "body_too_large")


def a_live_search_is_sent_away_at_sigterm_and_a_slow_query_survives_it(service: Process, http: httpx2.Client) -> None:
    answers: list[httpx2.Response] = []
    batches = batches_so_far(http)
    asking = threading.Thread(target=lambda: answers.append(http.post("/embed", json={"text": "slow"})))
    with connect(f"{service.url.replace('http', 'ws')}/stream") as speaking:
        speaking.send('{"type":"start"}')
        assert json.loads(speaking.recv(WAIT_S))["type"] == "ready"
        asking.start()
        wait_until(lambda: batches_so_far(http) != batches)
        service.process.send_signal(signal.SIGTERM)
        service.wait_for("stopping signal=SIGTERM")
        assert_problem(http.get("/readyz"), 503, "draining")
        service.process.send_signal(signal.SIGTERM)  # nobody else will come
        assert json.loads(speaking.recv(WAIT_S))["code"] == "draining"
        with pytest.raises(ConnectionClosed) as closed:
            speaking.recv(WAIT_S)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1012
    asking.join(WAIT_S)
    assert answers[0].status_code == 200


def batches_so_far(http: httpx2.Client) -> str:
    found = re.search(r"speechclip_batch_size_count (\S+)", http.get("/metrics").text)
    assert found
    return found[1]


def test_a_broken_model_ends_the_process_with_a_failure(service: Process) -> None:
    with httpx2.Client(base_url=service.url, timeout=WAIT_S) as http:
        for _ in range(3):
            assert_problem(http.post("/embed", json={"text": "break"}), 500, "encoding_failed")

    assert service.end() == 1
    assert "the encoder is broken" in "".join(service.log)


def test_a_port_that_is_taken_ends_with_a_failure(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = {"SPEECHCLIP_DATA": str(tmp_path), "SPEECHCLIP_PORT": str(taken.getsockname()[1])}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    assert done.returncode != 0
    assert "address already in use" in done.stderr


def test_uvicorns_own_variable_for_workers_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    with pytest.raises(ValueError, match="one process owns the model"):
        Settings(data=tmp_path)


def test_operators_may_have_a_port_of_their_own(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = Process(tmp_path, SPEECHCLIP_ADMIN_PORT=str(port))
    try:
        everybody = re.findall(r"listening url=(\S+)", "".join(process.log))
        assert f"http://127.0.0.1:{port}" in everybody
        everybody.remove(f"http://127.0.0.1:{port}")
        assert httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=WAIT_S).status_code == 200
        assert_problem(httpx2.get(f"{everybody[0]}/metrics", timeout=WAIT_S), 404, "not_found")
        assert httpx2.get(f"{everybody[0]}/info", timeout=WAIT_S).status_code == 200
    finally:
        process.process.terminate()
        assert process.end() == 0


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": "search.example"}, True),
        ({"host": "127.0.0.1"}, False),
        ({"host": "::1"}, False),
        ({"host": "localhost"}, False),
        ({"host": "0.0.0.0", "api_keys_file": "keys.toml"}, False),
    ],
)
def test_a_service_that_strangers_can_reach_without_keys_says_so_loudly(
    settings: dict[str, str], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server._warn_of_strangers(Settings.model_validate(settings))
    assert ("everybody" in caplog.text) == warned
