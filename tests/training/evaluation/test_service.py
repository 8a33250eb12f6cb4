"""A running service is evaluated by its own answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from models.config import Branch
from tests.app.conftest import make_store, wait_until_ready
from tests.fake_encoder import FakeEncoder, drawn, spoken
from tests.training.evaluation.spoken_words import Memory
from training.evaluation.batches import InBatches
from training.evaluation.errors import EvaluationError
from training.evaluation.service import TRIES, ServiceEmbedder

INFO = {"model": {"name": "m", "fingerprint": "f" * 64, "precision": "fp32", "dim": 2, "branches": ["parallel"]}}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    data = tmp_path_factory.mktemp("service")
    make_store(data / "collections", FakeEncoder(), data)
    with TestClient(create_app(Settings(data=data), FakeEncoder())) as client:
        wait_until_ready(client)
        yield client


def answering(
    embed: Callable[[httpx2.Request], httpx2.Response], info: Any = INFO, branch: Branch | None = None
) -> tuple[ServiceEmbedder, list[float]]:
    """Of a service that is made up, and the pauses that were made for it."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/embed":
            return embed(request)
        return httpx2.Response(200, json=info if request.url.path == "/info" else {})

    pauses: list[float] = []
    client = httpx2.Client(base_url="http://there", transport=httpx2.MockTransport(handle))
    return ServiceEmbedder(client, branch, pauses.append), pauses


def vector(seconds: float | None = 1.0, size: int = 2, name: str = "m", revision: str = "ffff") -> httpx2.Response:
    model = {"name": name, "revision": revision, "dim": size}
    vector = [1.0] + [0.0] * (size - 1)
    return httpx2.Response(200, json={"vector": vector, "query": {"seconds": seconds}, "model": model})


def test_it_gives_what_the_model_gives(client: TestClient) -> None:
    encoder, embedder = FakeEncoder(), ServiceEmbedder(client, None)

    speech = embedder.speech([spoken("dog"), b"noise", spoken("cat", 0.8)])
    images = embedder.images([drawn("apple"), b"noise"])
    texts = embedder.texts([b"rocket"])

    assert (embedder.name, embedder.dim, embedder.branch, embedder.way) == ("fake", 16, "parallel", "url")
    assert (embedder.fingerprint, embedder.precision) == (encoder.fingerprint, "fp32")
    np.testing.assert_allclose(speech.vectors[[0, 2]], [encoder.vector("dog"), encoder.vector("cat")], atol=1e-6)
    np.testing.assert_allclose(images.vectors[0], encoder.vector("apple"), atol=1e-6)
    np.testing.assert_allclose(texts.vectors[0], encoder.vector("rocket"), atol=1e-6)
    assert [bool(reason) for reason in (*speech.reasons, *images.reasons)] == [False, True, False, False, True]
    assert speech.audio_seconds.tolist() == pytest.approx([0.5, 0, 0.8])
    assert speech.seconds > 0
    assert speech.subwords.shape == (3, 0)


def test_a_branch_is_asked_for(client: TestClient) -> None:
    with pytest.raises(EvaluationError, match="no cascaded branch"):
        ServiceEmbedder(client, "cascaded")

    asked: list[str] = []

    def embed(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.query.decode())
        return vector()

    both = {"model": INFO["model"] | {"branches": ["parallel", "cascaded"]}}
    answering(embed, both, "cascaded")[0].speech([b"x"])
    answering(embed, both)[0].speech([b"x"])
    assert asked == ["branch=cascaded", "branch=parallel"]


def test_a_service_with_too_much_to_do_is_asked_again() -> None:
    left = [429, 503]

    def embed(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(left.pop(), headers={"Retry-After": "2"}) if left else vector()

    embedder, pauses = answering(embed)

    assert embedder.speech([b"x"]).reasons == [""]
    assert pauses == [2.0, 2.0]


def test_but_not_for_ever() -> None:
    embedder, pauses = answering(lambda request: httpx2.Response(429, json={"detail": "Too much."}))

    with pytest.raises(EvaluationError, match="fails with status 429: Too much"):
        embedder.speech([b"x"])

    assert len(pauses) == TRIES - 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (httpx2.Response(500, json={"detail": "broken"}), "fails with status 500: broken"),
        (httpx2.Response(404, text="<html>"), "fails with status 404: Not Found"),
        (httpx2.Response(200, text="hello"), "something else than a vector"),
        (vector(size=3), "another size than the 2"),
        (vector(revision="0f"), "now has another, m"),
        (vector(revision=""), "something else than a vector"),
        (vector(name="n"), "had the model m, and now has another, n"),
        (vector(seconds=None), "how long the audio is"),
    ],
)
def test_what_is_no_answer_ends_the_evaluation(answer: httpx2.Response, told: str) -> None:
    embedder, _ = answering(lambda request: answer)

    with pytest.raises(EvaluationError, match=told):
        embedder.speech([b"x"])


@pytest.mark.parametrize("status", [401, 403])
def test_a_service_with_keys_names_the_variable_that_a_key_is_in(status: int) -> None:
    with pytest.raises(EvaluationError, match="API key that may search, in SPEECHCLIP_API_KEY: Not with this"):
        answering(lambda request: httpx2.Response(status, json={"detail": "Not with this."}))[0].speech([b"x"])


def test_the_key_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str | None] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers.get("Authorization"))
        return httpx2.Response(200, json=INFO)

    monkeypatch.setattr("httpx2.Client", partial(httpx2.Client, transport=httpx2.MockTransport(handle)))
    for key in ("", "secret\n"):
        monkeypatch.setenv("SPEECHCLIP_API_KEY", key)
        ServiceEmbedder.at("http://there", None)

    assert sent == [None, None, "Bearer secret", "Bearer secret"]


def kept(folder: Path) -> int:
    return len(list(folder.rglob("*.npz")))


def test_a_batch_with_a_refused_file_is_not_kept(tmp_path: Path) -> None:
    refusing = [True]

    def embed(request: httpx2.Request) -> httpx2.Response:
        if refusing and request.content == b"long":
            return httpx2.Response(413, json={"detail": "Too long."})
        return vector()

    files = [Memory("a", b"short"), Memory("b", b"long")]
    embedder, _ = answering(embed)
    steps = InBatches(embedder, tmp_path, lambda *_: None)
    assert steps.run("images", embedder.images, files, 1).reasons == ["", "Too long."]
    assert kept(tmp_path) == 1

    refusing.clear()
    assert steps.run("images", embedder.images, files, 1).reasons == ["", ""]
    assert kept(tmp_path) == 2


def test_vectors_of_another_precision_are_kept_apart(tmp_path: Path) -> None:
    for precision in ("fp32", "bf16"):
        embedder, _ = answering(lambda request: vector(), {"model": INFO["model"] | {"precision": precision}})
        InBatches(embedder, tmp_path, lambda *_: None).run("images", embedder.images, [Memory("a", b"x")], 1)

    assert kept(tmp_path) == 2


@pytest.mark.parametrize(
    ("info", "told"), [({"model": None}, "no model yet"), ({"hello": 1}, "not this service"), ([], "not this service")]
)
def test_something_else_than_this_service_is_refused(info: Any, told: str) -> None:
    with pytest.raises(EvaluationError, match=told):
        answering(lambda request: vector(), info)


def test_a_service_that_is_not_there_is_told() -> None:
    with pytest.raises(EvaluationError, match="does not answer"):
        ServiceEmbedder.at("http://127.0.0.1:9", None)


@pytest.mark.parametrize("url", ["nonsense", "ftp://there", "http://[", ""])
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(EvaluationError, match=r"no address of a service|does not answer"):
        ServiceEmbedder.at(url, None)


def test_no_files_are_no_queries() -> None:
    embedder, _ = answering(lambda request: httpx2.Response(500))

    assert embedder.speech([]).vectors.shape == embedder.images([]).vectors.shape == (0, 2)
