"""The service outlives the process that encodes for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import startup
from app.apart import ApartEncoder
from app.main import create_app
from app.settings import Settings
from index.backend import Store
from models.protocol import Encoder
from tests.app.conftest import wait_until_ready
from tests.patience import wait_until
from tests.tiny_model import save_tiny_model


def prepare(store: Store, encoder: Encoder, progress: object) -> None:
    store.create("captions", "captions", encoder.dim, encoder.fingerprint).close()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service that has loaded a real model."""
    folder = tmp_path_factory.mktemp("service")
    model = save_tiny_model(folder / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(startup, "prepare_collections", prepare)
        with TestClient(create_app(Settings(data=folder / "data", model=str(model)))) as client:
            wait_until_ready(client)
            yield client


def encoder_of(client: TestClient) -> ApartEncoder:
    encoder = client.app.state.service.partial.engine.encoder  # type: ignore[attr-defined]
    assert isinstance(encoder, ApartEncoder)
    return encoder


def embed(client: TestClient, text: str) -> list[float]:
    answer = client.post("/embed", json={"text": text})
    assert answer.status_code == 200, answer.text
    vector: list[float] = answer.json()["vector"]
    return vector


def test_nobody_notices_that_it_is_killed(client: TestClient) -> None:
    texts = [f"text {number}" for number in range(40)]
    before = [embed(client, text) for text in texts]

    with ThreadPoolExecutor(4) as many:
        answers = [many.submit(embed, client, text) for text in texts]
        answers[10].result()
        os.kill(encoder_of(client).pid, signal.SIGKILL)
        assert [answer.result() for answer in answers] == before

    assert "speechclip_encoder_restarts_total 1.0" in client.get("/metrics").text
    assert client.get("/readyz").status_code == 200


def test_its_memory_counts(client: TestClient) -> None:
    encoder, told = encoder_of(client), client.get("/metrics").text
    used = next(
        line for line in told.splitlines() if 'speechclip_device_memory_bytes{device="cpu",state="used"}' in line
    )
    pages = int(Path(f"/proc/{encoder.pid}/statm").read_text().split()[1])

    assert float(used.split()[-1]) > pages * os.sysconf("SC_PAGE_SIZE")


def test_it_ends_with_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "prepare_collections", prepare)
    model = save_tiny_model(tmp_path / "model")
    with TestClient(create_app(Settings(data=tmp_path / "data", model=str(model)))) as client:
        wait_until_ready(client)
        pid = encoder_of(client).pid

    wait_until(lambda: not Path(f"/proc/{pid}").exists())
