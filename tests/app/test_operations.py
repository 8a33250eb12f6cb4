"""`/livez`, `/readyz`, `/info` and `/metrics` of a service that runs; test_startup has the rest of its life."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.query.requests import MAX_TOP_K
from tests.app.conftest import MakeClient
from tests.fake_encoder import FakeEncoder, spoken
from tests.patience import WAIT_S


def samples(client: TestClient) -> dict[str, float]:
    """``name{label=value,...}`` -> value."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.name + "{" + ",".join(f"{key}={sample.labels[key]}" for key in sorted(sample.labels)) + "}": sample.value
        for family in families
        for sample in family.samples
    }


def test_alive_and_ready(client: TestClient) -> None:
    for prefix in ("", "/v1"):
        assert client.get(f"{prefix}/livez").json() == {"status": "alive"}
        assert client.get(f"{prefix}/readyz").json()["status"] == "ready"


def test_info(client: TestClient) -> None:
    info = client.get("/info").json()

    assert info["name"] == "speechclip-search"
    assert info["status"] == "ready"
    fingerprint = FakeEncoder().fingerprint
    assert info["model"] == {
        "name": "fake",
        "revision": fingerprint[:12],
        "dim": 16,
        "fingerprint": fingerprint,
        "precision": "fp32",
        "branches": ["parallel"],
    }
    listed = client.get("/collections").json()["collections"]
    assert info["collections"] == [{**one, "bytes": None, "media_bytes": None} for one in listed]  # it looks at no file
    assert info["limits"]["max_body_bytes"] == 10 * 1024 * 1024
    assert info["limits"]["max_top_k"] == MAX_TOP_K


def test_the_model_card_is_told_as_it_is_written(client: TestClient) -> None:
    card = client.get("/model/card")

    assert (card.status_code, card.text) == (200, FakeEncoder.card)
    assert card.headers["content-type"] == "text/markdown; charset=utf-8"


def test_every_stage_and_every_refusal_is_counted(make_client: MakeClient) -> None:
    with make_client() as client:
        client.post("/search/images", files={"file": spoken("dog")})
        client.post("/v1/search/images", json={"text": "dog"})
        client.post("/search/images", content=b"noise", headers={"Content-Type": "audio/wav"})
        client.get("/nowhere")
        found = samples(client)

    counts = {stage: found[f"speechclip_stage_seconds_count{{stage={stage}}}"] for stage in STAGES}
    assert counts == {"decode": 1, "queue": 2, "encode": 2, "search": 2, "total": 2}
    assert found["speechclip_refusals_total{code=unsupported_media}"] == 1
    assert found["speechclip_refusals_total{code=not_found}"] == 1
    assert found["speechclip_requests_total{method=POST,route=/search/images,status=200}"] == 2
    assert found["speechclip_requests_total{method=POST,route=/search/images,status=415}"] == 1
    assert found["speechclip_requests_total{method=GET,route=unmatched,status=404}"] == 1
    assert found["speechclip_batch_size_count{}"] == 3  # with the word that was said at the start
    assert (found["speechclip_queued{}"], found["speechclip_buffered_bytes{}"], found["speechclip_ready{}"]) == (
        0,
        0,
        1,
    )


def test_what_it_holds_is_told(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client(queue_size=7) as client, ThreadPoolExecutor() as callers:
        encoder.open.clear()
        asked = callers.submit(client.post, "/search/images", json={"text": "dog"})
        encoder.entered.acquire(timeout=WAIT_S)
        during = samples(client)
        encoder.open.set()
        assert asked.result().status_code == 200
        after = samples(client)

    assert (during["speechclip_admitted{}"], after["speechclip_admitted{}"]) == (1, 0)
    assert during["speechclip_admitted_most{}"] == 7
    used, total = (during[f"speechclip_device_memory_bytes{{device=cpu,state={state}}}"] for state in ("used", "total"))
    assert 0 < used < total
    (running,) = [name for name in after if name.startswith("speechclip_running")]
    assert running.startswith(f"speechclip_running{{model=fake,revision={FakeEncoder().fingerprint[:12]},version=")


def test_each_application_counts_for_itself(make_client: MakeClient, client: TestClient) -> None:
    with make_client() as other:
        other.post("/search/images", json={"text": "dog"})
        assert samples(other)["speechclip_stage_seconds_count{stage=total}"] == 1
    assert client.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


STAGES = ("decode", "queue", "encode", "search", "total")
