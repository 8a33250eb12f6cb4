"""The log of slow queries: where the time went, and nothing of what was asked."""

from __future__ import annotations

import logging

import pytest

from tests.app.conftest import MakeClient
from tests.app.test_operations import samples
from tests.fake_encoder import FakeEncoder, spoken

EVERY = 0.0001  # milliseconds: whatever is asked takes longer


def slow(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [vars(record) for record in caplog.records if record.name == "app.slow"]


def test_a_slow_query_is_one_line_with_its_stages_and_sizes(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    with make_client(slow_query_ms=EVERY) as client:
        client.post("/search/images", files={"file": spoken("dog", 0.5)}, headers={"X-Request-ID": "r-1"})
        found = samples(client)

    (line,) = slow(caplog)
    assert (line["levelname"], line["message"]) == ("WARNING", "slow query")
    assert (line["route"], line["status"], line["request_id"]) == ("/search/images", 200, "r-1")
    assert (line["kind"], line["audio_s"], line["batch"]) == ("speech", 0.5, 1)
    assert isinstance(line["bytes"], int)
    assert line["bytes"] > len(spoken("dog", 0.5))
    for stage in ("decode_ms", "queue_ms", "encode_ms", "search_ms", "total_ms", "ms"):
        assert isinstance(line[stage], float)
    assert found["speechclip_slow_queries_total{}"] == 1


def test_nothing_that_was_typed_or_named_is_in_it(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    with make_client(slow_query_ms=EVERY) as client:
        client.post("/search/images", json={"text": "swordfish"})
        client.post("/search/swordfish", json={"text": "swordfish"})
        client.post("/v1/embeddings", json={"input": ["swordfish", "swordfish two"]})

    lines = slow(caplog)
    assert [line["route"] for line in lines] == ["/search/images", "/search/{collection}", "/embeddings"]
    assert "swordfish" not in str([{name: value for name, value in line.items() if name != "args"} for line in lines])


def test_a_query_that_is_given_up_is_the_slowest_of_all(
    make_client: MakeClient, encoder: FakeEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    with make_client(slow_query_ms=50.0, deadline_s=0.2) as client:
        encoder.open.clear()
        assert client.post("/search/images", json={"text": "dog"}).status_code == 504
        encoder.open.set()

    (line,) = slow(caplog)
    assert line["status"] == 504


@pytest.mark.parametrize("slow_query_ms", [0.0, 60_000.0])
def test_quick_ones_are_not_and_zero_turns_it_off(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, slow_query_ms: float
) -> None:
    with caplog.at_level(logging.DEBUG), make_client(slow_query_ms=slow_query_ms) as client:
        client.post("/search/images", json={"text": "dog"})

    assert slow(caplog) == []


def test_what_is_no_query_is_not_judged(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    with make_client(slow_query_ms=EVERY) as client:
        client.get("/collections")
        client.get("/readyz")

    assert slow(caplog) == []
