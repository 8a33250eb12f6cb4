"""From the first moment to the last: when the service says it is ready, and what it says until then."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import startup
from app.main import create_app, drain, is_broken
from app.settings import Settings
from app.startup import READY
from index.errors import ServerUnreachable
from index.store import Store
from models.errors import ModelFolderError
from tests.app.conftest import wait_until_ready
from tests.app.problems import assert_problem
from tests.fake_encoder import FakeEncoder, spoken
from tests.patience import WAIT_S, wait_until

Progress = Callable[[str, int, int], None]


class FakeLoading:
    """Stands in for the two functions that a start without an encoder calls."""

    def __init__(self, encoder: FakeEncoder) -> None:
        self.encoder = encoder
        self.loaded: list[str] = []
        self.go_on = threading.Event()
        self.waiting = threading.Event()
        self.error: Exception | None = None

    def load(self, model: str, precision: str, on_restart: Callable[[], None]) -> FakeEncoder:
        self.loaded.append(model)
        if self.error is not None:
            raise self.error
        return self.encoder

    def prepare_collections(self, store: Store, encoder: FakeEncoder, progress: Progress) -> None:
        progress("embedding the drawings", 3, 12)
        self.waiting.set()
        assert self.go_on.wait(WAIT_S)
        progress("embedding the drawings", 12, 12)
        assert encoder is self.encoder
        if "made" not in store.names():
            store.create("made", "images", encoder.dim, encoder.fingerprint).close()


@pytest.fixture
def loading(encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> FakeLoading:
    loading = FakeLoading(encoder)
    monkeypatch.setattr(startup, "ApartEncoder", loading.load)
    monkeypatch.setattr(startup, "prepare_collections", loading.prepare_collections)
    return loading


@pytest.fixture
def starting(tmp_path: Path, loading: FakeLoading) -> Iterator[TestClient]:
    """An application that loads its model as it does in earnest, and is in the middle of it."""
    with TestClient(create_app(Settings(data=tmp_path, model="some-model"))) as client:
        yield client
        loading.go_on.set()


def test_until_the_model_is_there_the_service_lives_but_is_not_ready(
    starting: TestClient, loading: FakeLoading
) -> None:
    assert loading.waiting.wait(WAIT_S)

    assert starting.get("/livez").json() == {"status": "alive"}
    answer = starting.get("/readyz")
    problem = assert_problem(answer, 503, "not_ready")
    assert problem["progress"] == {"step": "embedding the drawings", "done": 3, "total": 12}
    assert "embedding the drawings (3 of 12)" in problem["detail"]
    assert int(answer.headers["retry-after"]) > 0

    loading.go_on.set()
    wait_until_ready(starting)
    ready = starting.get("/readyz").json()
    assert ready["status"] == "ready"
    steps = {one["step"]: one["seconds"] for one in ready["started"]}
    assert {"loading the model", "opening the collections", "saying a first word to the model"} <= set(steps)
    assert all(seconds >= 0 for seconds in steps.values())
    assert loading.loaded == ["some-model"]
    assert [one["name"] for one in starting.get("/collections").json()["collections"]] == ["made"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/search/images"),
        ("POST", "/keywords"),
        ("POST", "/embed"),
        ("GET", "/collections"),
        ("GET", "/collections/images"),
        ("GET", "/media/images/dog"),
    ],
)
def test_until_then_queries_are_refused(starting: TestClient, method: str, path: str) -> None:
    content = spoken("dog") if method == "POST" else None
    assert_problem(starting.request(method, path, content=content), 503, "not_ready")


def test_until_then_the_pages_and_numbers_are_there(starting: TestClient) -> None:
    for path in ("/", "/docs", "/openapi.json", "/metrics"):
        assert starting.get(path).status_code == 200
    info = starting.get("/info").json()
    assert (info["status"], info["model"], info["collections"]) == ("starting", None, [])
    assert "speechclip_ready 0.0" in starting.get("/metrics").text


def test_ready_comes_after_a_real_utterance(settings: Settings, encoder: FakeEncoder) -> None:
    encoder.open.clear()
    with TestClient(create_app(settings, encoder)) as client:
        assert encoder.entered.acquire(timeout=WAIT_S)
        assert encoder.batches == [("speech", 1)]
        assert "first word" in assert_problem(client.get("/readyz"), 503, "not_ready")["detail"]
        encoder.open.set()
        wait_until_ready(client)
        assert "speechclip_ready 1.0" in client.get("/metrics").text


def test_whoever_starts_it_can_watch(settings: Settings, encoder: FakeEncoder) -> None:
    steps: list[tuple[str, int, int]] = []
    app = create_app(settings, encoder, on_step=lambda step, done, total: steps.append((step, done, total)))
    with TestClient(app) as client:
        wait_until_ready(client)
    assert [step for step, _, _ in steps] == ["opening the collections", "saying a first word to the model", READY]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModelFolderError("the model folder some-model is not there"), "the model folder some-model is not there"),
        (RuntimeError("a secret of the machine"), "RuntimeError; the log says more"),
    ],
)
def test_a_start_that_fails_is_logged_and_told(
    tmp_path: Path, loading: FakeLoading, error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    loading.error = error
    with TestClient(create_app(Settings(data=tmp_path))) as client:
        wait_until(lambda: "could not start" in client.get("/readyz").json()["detail"])
        answer = client.get("/readyz")

        assert told in assert_problem(answer, 503, "not_ready")["detail"]
        assert "secret" not in answer.text
        assert client.get("/livez").status_code == 200
        assert client.get("/info").json()["status"] == "failed"
    assert str(error) in caplog.text


def test_a_model_that_cannot_hear_never_becomes_ready(settings: Settings, encoder: FakeEncoder) -> None:
    encoder.broken = lambda word: True
    with TestClient(create_app(settings, encoder)) as client:
        wait_until(lambda: client.get("/info").json()["status"] != "starting")
        assert "could not encode" in assert_problem(client.get("/readyz"), 503, "not_ready")["detail"]


def test_a_model_that_breaks_later_makes_the_service_not_ready(settings: Settings, encoder: FakeEncoder) -> None:
    app = create_app(settings, encoder)
    assert not is_broken(app)
    with TestClient(app) as client:
        wait_until_ready(client)
        encoder.broken = lambda word: True
        while (answer := client.post("/embed", json={"text": "dog"})).status_code == 500:
            assert_problem(answer, 500, "encoding_failed")

        for refused in (answer, client.get("/readyz")):
            assert "started again" in assert_problem(refused, 503, "not_ready")["detail"]
        assert client.get("/info").json()["status"] == "failed"
        assert "speechclip_ready 0.0" in client.get("/metrics").text
    assert is_broken(app)


def test_stopping_does_not_wait_for_a_start(
    tmp_path: Path, loading: FakeLoading, caplog: pytest.LogCaptureFixture
) -> None:
    before = set(threading.enumerate())
    with caplog.at_level(logging.INFO, logger="app"), TestClient(create_app(Settings(data=tmp_path))):
        assert loading.waiting.wait(WAIT_S)
        threading.Timer(0.2, loading.go_on.set).start()

    assert "stopped before the start was complete" in caplog.text
    left = set(threading.enumerate()) - before
    assert [thread for thread in left if thread.name in ("startup", "encoder")] == []


def test_draining_is_told_and_final_and_whoever_comes_is_answered(settings: Settings, encoder: FakeEncoder) -> None:
    app = create_app(settings, encoder)
    drain(app)  # before it has started there is nothing to do
    with TestClient(app) as client:
        wait_until_ready(client)
        drain(app)
        answer = client.get("/readyz")
        assert_problem(answer, 503, "draining")
        assert int(answer.headers["retry-after"]) > 0
        assert client.get("/livez").status_code == 200
        answer = client.post("/search/images", json={"text": "dog"})
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert client.get("/info").json()["status"] == "draining"


def test_what_was_accepted_is_answered_before_the_end(settings: Settings, encoder: FakeEncoder) -> None:
    answers: list[int] = []
    with TestClient(create_app(settings, encoder)) as client:
        wait_until_ready(client)
        encoder.forget()
        encoder.open.clear()
        asking = threading.Thread(
            target=lambda: answers.append(client.post("/embed", json={"text": "accepted"}).status_code)
        )
        asking.start()
        assert encoder.entered.acquire(timeout=WAIT_S)
        threading.Timer(0.1, encoder.open.set).start()
        asking.join(WAIT_S)
    assert answers == [200]


def test_collections_can_be_opened_again_afterwards(settings: Settings, encoder: FakeEncoder) -> None:
    for _ in range(2):
        with TestClient(create_app(settings, encoder)) as client:
            wait_until_ready(client)
            assert client.post("/search/images", json={"text": "dog"}).status_code == 200
    Store(settings.data / "collections").open("images").close()


class LateStore(Store):
    """Of a server that is away again when its collections are listed."""

    away = 2

    def names(self) -> list[str]:
        if self.away:
            self.away -= 1
            raise ServerUnreachable("it starts")
        return super().names()


def test_a_store_that_goes_away_during_the_start_is_waited_for(
    tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "STORE_RETRY_S", 0.01)
    store = LateStore(tmp_path)
    with TestClient(create_app(Settings(data=tmp_path), encoder, store)) as client:
        wait_until_ready(client)
    assert store.away == 0


def test_a_store_can_be_given(tmp_path: Path, encoder: FakeEncoder) -> None:
    store = Store(tmp_path / "elsewhere")
    store.create("mine", "images", encoder.dim, encoder.fingerprint).close()
    with TestClient(create_app(Settings(data=tmp_path / "unused"), encoder, store)) as client:
        wait_until_ready(client)
        assert client.get("/collections/mine").json()["count"] == 0
    assert not (tmp_path / "unused").exists()
