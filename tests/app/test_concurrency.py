"""Many at once, too many at once, and those that leave: through the whole application."""

from __future__ import annotations

import asyncio
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from models.images import decode_image
from tests.app.asgi import Exchange
from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.fake_encoder import WORDS, FakeEncoder, drawn, spoken
from tests.patience import WAIT_S, wait_until


def ask(client: TestClient, text: str) -> httpx2.Response:
    return client.post("/search/images", json={"text": text})


def hold(client: TestClient, encoder: FakeEncoder, pool: ThreadPoolExecutor) -> None:
    """Keep the encoder busy with one query until `encoder.open` is set."""
    encoder.open.clear()
    pool.submit(ask, client, "held")
    assert encoder.entered.acquire(timeout=WAIT_S)


def wait_for_queue(client: TestClient, length: int) -> None:
    wait_until(lambda: f"speechclip_queued {length}.0" in client.get("/metrics").text)


def test_many_at_once_are_batched_and_each_gets_its_own_answer(make_client: MakeClient, encoder: FakeEncoder) -> None:
    def search(number: int) -> tuple[str, str]:
        word = list(WORDS)[number % len(WORDS)]
        forms: list[dict[str, Any]] = [
            {"files": {"file": spoken(word)}},
            {"files": {"file": drawn(word)}},
            {"json": {"text": word}},
        ]
        answer = client.post("/search/images?top_k=1", **forms[number % len(forms)])
        assert answer.status_code == 200, answer.text
        return word, answer.json()["results"][0]["id"]

    with make_client() as client, ThreadPoolExecutor(32) as pool:
        hold(client, encoder, pool)
        found = pool.map(search, range(60))
        wait_for_queue(client, 31)
        encoder.open.set()
        assert all(said == got for said, got in found)

    assert max(size for _, size in encoder.batches) > 1
    assert max(size for _, size in encoder.batches) <= 8
    assert sum(size for _, size in encoder.batches) == 61


def test_more_than_can_be_carried_is_refused_at_once_and_the_rest_is_answered(
    make_client: MakeClient, encoder: FakeEncoder
) -> None:
    with make_client(queue_size=4) as client, ThreadPoolExecutor(8) as pool:
        hold(client, encoder, pool)
        accepted = [pool.submit(ask, client, "dog") for _ in range(3)]
        wait_for_queue(client, 3)

        refused = ask(client, "one too many")  # answered while the encoder is still held
        problem = assert_problem(refused, 429, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert "queries" in problem["detail"]

        encoder.open.set()
        assert all(one.result(WAIT_S).status_code == 200 for one in accepted)
        assert ask(client, "dog").status_code == 200
        assert 'speechclip_refusals_total{code="overloaded"} 1.0' in client.get("/metrics").text


def test_a_query_that_takes_too_long_is_given_up_and_not_encoded(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client(deadline_s=0.2) as client, ThreadPoolExecutor(1) as pool:
        hold(client, encoder, pool)
        assert "0.2 s" in assert_problem(ask(client, "late"), 504, "deadline_exceeded")["detail"]
        encoder.open.set()
        wait_until(lambda: ask(client, "in time").status_code == 200)

    assert "late" not in encoder.seen


def test_a_vector_needs_no_encoder_and_so_no_place_in_its_queue(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client(queue_size=2) as client, ThreadPoolExecutor(2) as pool:
        hold(client, encoder, pool)
        waiting = pool.submit(ask, client, "dog")
        wait_for_queue(client, 1)

        vector = [float(number) for number in encoder.vector("cat")]
        assert client.post("/search/images", json={"vector": vector}).json()["results"][0]["id"] == "cat"
        assert client.post("/search/images", json={"id": "cat"}).json()["results"][0]["id"] == "cat"
        encoder.open.set()
        assert waiting.result(WAIT_S).status_code == 200


def test_the_query_of_a_client_that_left_is_skipped(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client() as client, ThreadPoolExecutor(1) as pool:
        hold(client, encoder, pool)
        exchange = Exchange(headers={"content-type": "application/json"})

        async def leave() -> None:
            leaving = asyncio.Event()
            asking = asyncio.create_task(exchange.run(client.app, [b'{"text": "gone"}'], leaving))
            await asyncio.to_thread(wait_for_queue, client, 1)
            leaving.set()
            await asyncio.wait_for(asking, WAIT_S)

        asyncio.run(leave())
        encoder.open.set()
        assert ask(client, "dog").status_code == 200
        metrics = client.get("/metrics").text

    assert exchange.answer.status_code == 499
    assert "gone" not in encoder.seen
    assert "speechclip_skipped_total 1.0" in metrics


def test_a_failure_of_the_model_is_told_without_its_details(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client() as client:
        encoder.broken = lambda word: word == "bad"
        answer = ask(client, "bad")
        assert_problem(answer, 500, "encoding_failed")
        assert "secret" not in answer.text
        assert ask(client, "dog").status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/info", "/metrics", "/"])
def test_a_busy_encoder_holds_up_nothing_else(make_client: MakeClient, encoder: FakeEncoder, path: str) -> None:
    with make_client() as client, ThreadPoolExecutor(1) as pool:
        hold(client, encoder, pool)
        assert client.get(path).status_code == 200
        encoder.open.set()


def test_files_being_decoded_hold_up_nothing_else(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def slow_decode(data: bytes) -> tuple[Image.Image, str]:
        assert gate.wait(WAIT_S)
        return decode_image(data)

    with make_client(decode_threads=1) as client, ThreadPoolExecutor(4) as pool:
        monkeypatch.setattr("models.decoders.decode_image", slow_decode)
        crowd = [pool.submit(client.post, "/embed", files={"image": drawn("cat")}) for _ in range(4)]
        assert client.get("/livez").status_code == 200
        assert ask(client, "dog").status_code == 200
        gate.set()
        assert all(one.result(WAIT_S).status_code == 200 for one in crowd)


def test_more_files_than_may_wait_to_be_decoded_are_refused(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def slow_decode(data: bytes) -> tuple[Image.Image, str]:
        assert gate.wait(WAIT_S)
        return decode_image(data)

    with make_client(decode_threads=1, queue_size=3) as client, ThreadPoolExecutor(6) as pool:
        monkeypatch.setattr("models.decoders.decode_image", slow_decode)
        crowd = [pool.submit(client.post, "/embed", files={"image": drawn("cat")}) for _ in range(6)]
        refused = [one.result(WAIT_S) for one in itertools.islice(as_completed(crowd), 3)]
        gate.set()
        answered = [one.result(WAIT_S) for one in crowd if one.result(WAIT_S) not in refused]

    for answer in refused:
        assert_problem(answer, 429, "overloaded")
    assert [answer.status_code for answer in answered] == [200, 200, 200]
