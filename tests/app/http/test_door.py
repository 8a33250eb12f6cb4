"""Refused at the door while the house is full: unparsed, at once, and the same on every path that takes a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.fake_encoder import FakeEncoder, spoken
from tests.patience import WAIT_S

MOST_MS = 100
"""For a refusal, on any machine; it takes one or two."""


@pytest.fixture
def full(make_client: MakeClient, encoder: FakeEncoder) -> Iterator[TestClient]:
    """A service with room for one query, which is held."""
    with make_client(queue_size=1) as client, ThreadPoolExecutor(1) as pool:
        encoder.open.clear()
        held = pool.submit(client.post, "/embed", json={"text": "held"})
        assert encoder.entered.acquire(timeout=WAIT_S)
        yield client
        encoder.open.set()
        assert held.result(WAIT_S).status_code == 200


@pytest.mark.parametrize("path", ["/search/images", "/search/nothing", "/keywords", "/embed", "/v1/search/captions"])
def test_a_file_is_refused_before_anybody_looks_at_it(full: TestClient, path: str) -> None:
    for body in (spoken("dog"), b"no audio at all"):
        answer = full.post(path, content=body, headers={"Content-Type": "audio/wav"})
        assert_problem(answer, 429, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert "connection" not in answer.headers


def test_a_form_is_refused_too(full: TestClient) -> None:
    assert_problem(full.post("/search/images", files={"file": spoken("dog")}), 429, "overloaded")


def test_what_takes_no_place_is_answered(full: TestClient, encoder: FakeEncoder) -> None:
    vector = [float(number) for number in encoder.vector("cat")]
    assert full.post("/search/images", json={"vector": vector}).status_code == 200
    assert full.get("/collections").status_code == 200


def test_refusals_are_quick(full: TestClient) -> None:
    took = []
    for _ in range(50):
        started = time.perf_counter()
        assert full.post("/search/images", content=spoken("dog", 5.0)).status_code == 429
        took.append(1000 * (time.perf_counter() - started))

    assert np.median(took) < MOST_MS
