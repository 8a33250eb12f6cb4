"""A hub on this machine, as `huggingface_hub` sees one, which can be told to misbehave."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from huggingface_hub import close_session, constants, file_download

from models.published.registry import PublishedModel
from tests.patience import WAIT_S

PATIENCE_S = 0.4  # of the library with a hub that is slow for once
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass(frozen=True)
class Answer:
    """How one request is answered; by default well.

    status, code, reason: of an error, with the hub's own headers for it; reset: the connection is torn down after
    `cut` bytes, which otherwise just ends; slow: longer than the library's patience; held: nothing is sent until it is
    set; size: what the headers claim.
    """

    status: int = 200
    code: str | None = None
    cut: int | None = None
    reset: bool = False
    slow: bool = False
    held: threading.Event | None = None
    size: int | None = None
    headers: bool = True


@dataclass(frozen=True)
class Asked:
    """A request as it came. path: percent-encoded."""

    method: str
    path: str
    range: str | None
    authorization: str | None


class FakeHub:
    """Serves `files` by "repository/file"; `asked` is what it was asked for; answers are used up one by one."""

    def __init__(self, set_patience: Callable[[str, float], None]) -> None:
        """set_patience: of the library with a method, in seconds; it is little where the next answer is slow."""
        self._set_patience = set_patience
        self.files: dict[str, bytes] = {}
        self.hashes: dict[str, str] = {}
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._planned: dict[str, list[Answer]] = defaultdict(list)
        self._always: dict[str, Answer] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def put(self, model: PublishedModel, content: bytes, announced: bytes | None = None) -> None:
        """Serve `content` under the hash of `announced`, which is the same if the hub is honest."""
        name = f"{model.repository}/{model.file}"
        self.files[name] = content
        self.hashes[name] = hashlib.sha256(content if announced is None else announced).hexdigest()

    def plan(self, method: str, *answers: Answer) -> None:
        self._planned[method].extend(answers)
        self._prepare(method)

    def always(self, method: str, answer: Answer) -> None:
        self._always[method] = answer
        self._prepare(method)

    def _prepare(self, method: str) -> None:
        self._set_patience(method, PATIENCE_S if self._next(method).slow else WAIT_S)

    def _next(self, method: str) -> Answer:
        return next(iter(self._planned[method]), self._always.get(method, Answer()))

    def answer(self, method: str) -> Answer:
        answer = self._next(method)
        self._planned[method] = self._planned[method][1:]
        self._prepare(method)
        return answer

    def count(self, method: str) -> int:
        return sum(one.method == method for one in self.asked)

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def fake_hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[FakeHub]:
    """A hub that the library takes for its own, with a cache of its own; nothing waits between two tries."""

    def set_patience(method: str, seconds: float) -> None:
        if method == "GET":
            monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", seconds)
        else:
            monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", seconds)
            monkeypatch.setattr(file_download, "_ETAG_RETRY_TIMEOUT", seconds)

    hub = FakeHub(set_patience)
    for method in ("HEAD", "GET"):
        set_patience(method, WAIT_S)
    point_to(hub.url, monkeypatch)
    for name, value in {
        "HF_HUB_CACHE": str(cache),
        "HF_TOKEN_PATH": str(cache / "token"),
        "HF_HUB_OFFLINE": False,
        "DOWNLOAD_CHUNK_SIZE": 1024,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    close_session()
    try:
        yield hub
    finally:
        close_session()
        hub.close()


def point_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What HF_ENDPOINT does, for a library that has been imported already."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


def unused_url() -> str:
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._serve("HEAD")

        def do_GET(self) -> None:
            self._serve("GET")

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

        def _serve(self, method: str) -> None:
            if "/resolve/" not in self.path:  # what else the library wants of a hub, no pull depends on
                self._refuse(404, None)
                return
            headers = self.headers
            hub.asked.append(Asked(method, self.path, headers["Range"], headers["Authorization"]))
            answer = hub.answer(method)
            if answer.slow:
                hub.closing.wait(2 * PATIENCE_S)
            if answer.held is not None:
                answer.held.wait(WAIT_S)
            name = unquote(self.path[1:].replace("/resolve/main/", "/", 1))
            if answer.status != 200:
                self._refuse(answer.status, answer.code)
            elif name not in hub.files:
                self._refuse(404, "EntryNotFound")
            else:
                self._send(method, answer, hub.files[name], hub.hashes[name])

        def _refuse(self, status: int, code: str | None) -> None:
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, method: str, answer: Answer, content: bytes, etag: str) -> None:
            size, start = len(content) if answer.size is None else answer.size, 0
            if found := re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or ""):
                start = int(found[1])
            self.send_response(206 if found else 200)
            if found:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            if answer.headers:
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("X-Linked-Size", str(size))
                self.send_header("ETag", f'"{etag}"')
            self.send_header("Content-Length", str(size - start))
            self.end_headers()
            if method == "GET":
                self._send_body(answer, content[start:])

        def _send_body(self, answer: Answer, body: bytes) -> None:
            try:
                self.wfile.write(body[: answer.cut])
                self.wfile.flush()
            except OSError:
                return  # the other side had enough
            if answer.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

    return Handler
