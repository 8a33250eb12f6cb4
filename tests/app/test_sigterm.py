"""`speechclip serve` with nano, told to end while it has its hands full: what it accepted is answered, and is there."""

from __future__ import annotations

import base64
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from index.store import Store
from models.audio import SAMPLE_RATE, decode
from speechclip_client import Client, errors
from speechclip_client.results import Final
from tests.app.problems import assert_problem
from tests.fake_encoder import WORDS, drawn
from tests.fuzz.service import Service
from tests.patience import WAIT_S, wait_until

pytestmark = pytest.mark.slow

UTTERANCE = (files("app") / "utterance.flac").read_bytes()
TICK_S = 0.1
BATCH = 4


@dataclass
class Program:
    """Sends one request after another, each once, until nobody takes connections any more."""

    name: str
    request: Callable[[int], dict[str, Any]]
    began: dict[str, float] = field(default_factory=dict)
    """When each request was sent, by its id."""
    answers: dict[str, httpx2.Response] = field(default_factory=dict)
    """Those that were answered, completely."""
    gave_up: dict[str, float] = field(default_factory=dict)
    """When it was seen of each of the others that there will be no answer."""

    def run(self, url: str) -> None:
        with httpx2.Client(base_url=url, timeout=WAIT_S) as http:
            for number in range(100_000):
                id = f"{self.name}-{number}"
                self.began[id] = time.monotonic()
                try:
                    self.answers[id] = http.request(**self._with_id(number, id))
                except httpx2.TransportError as error:
                    self.gave_up[id] = time.monotonic()
                    if isinstance(error, httpx2.ConnectError):
                        return

    def late(self, since: float) -> int:
        """How many were asked for after that, and answered."""
        return sum(self.began[id] > since for id in list(self.answers))

    def _with_id(self, number: int, id: str) -> dict[str, Any]:
        request = {"method": "POST", **self.request(number)}
        return {**request, "headers": {**request.get("headers", {}), "X-Request-ID": id}}


def by_speech(number: int) -> dict[str, Any]:
    return {"url": "/search/images", "content": UTTERANCE, "headers": {"Content-Type": "audio/flac"}}


def by_text(number: int) -> dict[str, Any]:
    return {"url": "/search/captions?top_k=50", "json": {"text": list(WORDS)[number % 5]}}


def batch(number: int) -> dict[str, Any]:
    image = base64.b64encode(drawn(list(WORDS)[number % 5])).decode()
    items = [{"id": f"{number}/{place}", "image": {"data": image}} for place in range(BATCH)]
    return {"url": "/collections/mine/items", "json": {"items": items}, "headers": {"Idempotency-Key": f"key-{number}"}}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    patience = {f"SPEECHCLIP_{name}_S": str(WAIT_S) for name in ("DRAIN", "BODY_TIMEOUT", "DEADLINE")}
    patience["SPEECHCLIP_MAX_SECONDS"] = str(WAIT_S)
    service = Service([sys.executable, "-m", "app.cli", "serve"], tmp_path, **patience)
    yield service
    if service.alive:
        service.stop()


def test_under_load_nothing_that_was_accepted_is_lost(service: Service, tmp_path: Path) -> None:
    """One process for all of it, because a start costs seconds."""
    with Client(service.url) as client:
        client.create_collection("mine", "images")
    programs = [Program(f"speech{n}", by_speech) for n in range(2)]
    programs += [Program(f"text{n}", by_text) for n in range(2)] + [Program("batch", batch)]
    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(program.run, service.url) for program in programs]
        wait_until(lambda: all(len(program.answers) > 1 for program in programs))
        over = threading.Event()
        ending = pool.submit(speak, service.url, over.is_set)
        lasting = pool.submit(speak, service.url, lambda: False)
        uploading = Upload(service.port)
        metrics = f"{service.url}/metrics"
        wait_until(lambda: "speechclip_streams 2.0" in httpx2.get(metrics, timeout=WAIT_S).text)

        stopped_at = time.monotonic()
        service.terminate()
        wait_until(lambda: "stopping signal=SIGTERM" in service.log)
        assert_problem(httpx2.get(f"{service.url}/readyz", timeout=WAIT_S), 503, "draining")
        assert httpx2.get(f"{service.url}/info", timeout=WAIT_S).headers["connection"] == "close"
        wait_until(lambda: all(program.late(stopped_at) for program in programs))
        over.set()
        assert ending.result(WAIT_S).reason == "end"

        closed_at = time.monotonic()
        stopping = pool.submit(service.stop)
        wait_until(lambda: is_refused(service.port))
        uploaded = uploading.finish()
        for one in running:
            one.result(WAIT_S)
        assert stopping.result(WAIT_S) == 0

    assert uploaded.startswith(b"HTTP/1.1 200 OK")
    assert b"\r\nconnection: close\r\n" in uploaded.lower()
    with pytest.raises(errors.Draining):
        lasting.result()
    assert_all_are_answered(programs, service.log, closed_at)
    late = sum(program.late(stopped_at) for program in programs)
    print(f"{sum(len(program.answers) for program in programs)} answers, {late} of them asked for after SIGTERM")
    assert_all_are_stored(programs, tmp_path)


def speak(url: str, is_over: Callable[[], bool]) -> Final:
    """The last answer to a speaker who does not pause."""
    samples = decode(UTTERANCE).samples
    loudest = int(np.abs(samples).argmax())
    pcm = (samples[loudest : loudest + round(SAMPLE_RATE * TICK_S)] * 32_767).astype("<i2").tobytes()

    def audio() -> Iterator[bytes]:
        while not is_over():
            yield pcm
            time.sleep(TICK_S)

    with Client(url) as client:
        *_, last = client.stream(audio(), searches={"images": 3})
    assert isinstance(last, Final)
    return last


class Upload:
    """A query whose second half comes when the port is closed already."""

    def __init__(self, port: int) -> None:
        self._half = len(UTTERANCE) // 2
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        head = f"POST /search/images HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: audio/flac\r\n"
        self._connection.sendall(f"{head}Content-Length: {len(UTTERANCE)}\r\n\r\n".encode() + UTTERANCE[: self._half])

    def finish(self) -> bytes:
        received = b""
        with self._connection as connection:
            connection.sendall(UTTERANCE[self._half :])
            while piece := connection.recv(65_536):
                received += piece
        return received


def assert_all_are_answered(programs: list[Program], log: str, closed_at: float) -> None:
    accepted = _logged(log)
    for program in programs:
        for id, answer in program.answers.items():
            assert (answer.status_code, accepted[id]) == (200, "200"), answer.text
        for id, gave_up_at in program.gave_up.items():
            # A connection that came with the last moment of the port may be accepted by the system alone.
            assert id not in accepted, id
            assert gave_up_at > closed_at, id
    assert "Traceback" not in log


def _logged(log: str) -> dict[str, str]:
    """The status of each request that the service has answered, by its id."""
    return {id: status for status, id in re.findall(r"status=(\d+).* request_id=(\S+)", log)}


def assert_all_are_stored(programs: list[Program], data: Path) -> None:
    """After its end, as the next start finds it."""
    ids = {id for program in programs for answer in program.answers.values() for id in answer.json().get("ids", [])}
    with Store(data / "collections").open("mine") as collection:
        stored = {record.id for record in collection.list(collection.count)}
    assert ids <= stored
    assert len(stored) % BATCH == 0


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=WAIT_S).close()
    except ConnectionRefusedError:
        return True
    return False
