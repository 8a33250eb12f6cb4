"""`/stream`: what is answered while somebody speaks, and how it comes to an end."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.app.stream.talk import CANCEL, END, LEAVE, Talk, pcm, problem, said, start
from tests.fake_encoder import FakeEncoder, spoken


def test_a_word_is_found_while_it_is_spoken(client: TestClient) -> None:
    with client.websocket_connect("/stream") as socket:
        socket.send_text(start(searches={"images": 2, "captions": 1}, keywords=2))
        ready = socket.receive_json()
        assert (ready["type"], ready["max_seconds"], ready["interval_ms"]) == ("ready", 30.0, 300)
        assert f"(b'x-request-id', b'{ready['request_id']}')" in str(socket.extra_headers)
        socket.send_bytes(pcm("cat", 0.5))
        interim = socket.receive_json()
        socket.send_text(END)
        while (final := socket.receive_json())["type"] == "interim":
            pass

    assert (interim["type"], interim["sequence"], interim["seconds"], interim["stable"]) == ("interim", 1, 0.5, False)
    assert interim["searches"]["images"][0]["id"] == "cat"
    first = {"id": "cat", "rank": 1, "score": 1.0, "uri": None, "caption": "cat", "metadata": {"length": 3}}
    assert interim["searches"]["captions"] == [first]
    assert interim["keywords"]["keywords"][0] == {"keyword": "cat", "score": 1.0, "rank": 1}
    assert (final["type"], final["reason"]) == ("final", "end")
    assert final["speech"] == {"start": 0.0, "end": 0.5}
    assert final["timings_ms"].keys() == {"decode", "queue", "encode", "search", "total"}


def test_answers_have_their_vector_where_it_is_asked_for(client: TestClient, encoder: FakeEncoder) -> None:
    one = said(client, start(include=["vector"]), pcm("cat"), END)
    without = said(client, start(), pcm("cat"), END)

    vector = one.heard[-1]["vector"]
    assert vector == pytest.approx(encoder.vector("cat").tolist(), abs=1e-6)
    again = client.post("/search/images", json={"vector": vector, "top_k": 10}).json()["results"]
    assert again == one.heard[-1]["searches"]["images"]
    assert all("vector" not in answer for answer in without.heard)


@pytest.mark.parametrize("include", [["uri"], "vector", ["vector"] * 3000, [1], None])
def test_nothing_else_is_included(client: TestClient, include: object) -> None:
    one = said(client, start(include=include), pcm("cat"), END)

    assert (one.heard[-1]["status"] in (400, 422), one.code) == (True, 1007)


def test_audio_alone_asks_for_what_is_usual(client: TestClient) -> None:
    one = said(client, pcm("dog"), END)

    assert [message["type"] for message in one.heard] == ["ready", "final"]
    assert list(one.heard[1]["searches"]) == ["images"]
    assert one.heard[1]["keywords"] is None
    assert one.code == 1000


def test_samples_may_be_cut_anywhere(client: TestClient) -> None:
    data = pcm("rocket", 0.5)
    one = said(client, start(), *(data[at : at + 77] for at in range(0, len(data), 77)), b"", END)

    assert one.heard[-1]["searches"]["images"][0]["id"] == "rocket"
    assert one.heard[-1]["seconds"] == 0.5


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
def test_other_rates(client: TestClient, rate: int) -> None:
    one = said(client, start(rate=rate), pcm("dog", 0.5), END)

    assert one.heard[-1]["seconds"] == pytest.approx(0.5 * 16_000 / rate, abs=0.01)


def test_a_file_that_grows(client: TestClient) -> None:
    data = spoken("guitar")
    one = said(client, start(format="container"), data[:50], data[50:5000], data[5000:], END)

    assert one.heard[-1]["searches"]["images"][0]["id"] == "guitar"


def test_a_filter_is_for_the_searches(client: TestClient) -> None:
    one = said(client, start(filter={"metadata.length": {"eq": 6}}, keywords=1), pcm("dog"), END)

    assert {result["caption"] for result in one.heard[-1]["searches"]["images"]} == {"rocket", "guitar"}
    assert one.heard[-1]["keywords"]["keywords"][0]["keyword"] == "dog"


def test_silence_after_speech_is_its_end_and_the_clip_is_encoded_no_more(client: TestClient) -> None:
    one = said(client, start(), pcm("dog", 0.5, silence=1.2))

    assert one.heard[-1]["reason"] == "end_of_speech"
    assert one.heard[-1]["speech"]["end"] == pytest.approx(0.5, abs=0.05)
    assert one.code == 1000


def test_what_was_encoded_already_is_the_final_answer(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client() as client, client.websocket_connect("/stream") as socket:
        socket.send_bytes(pcm("dog", 0.5, silence=0.5))
        assert socket.receive_json()["type"] == "ready"
        assert socket.receive_json()["type"] == "interim"
        socket.send_bytes(bytes(32_000))
        assert socket.receive_json()["reason"] == "end_of_speech"
        assert encoder.batches == [("speech", 1)]


def test_the_longest_is_answered_as_it_is(make_client: MakeClient) -> None:
    with make_client(max_seconds=1.0) as client:
        one = said(client, start(), pcm("dog", 0.7), pcm("dog", 0.7), pcm("dog", 0.7))
        file = said(client, start(format="container"), spoken("dog", 1.5))

    for heard in (one.heard[-1], file.heard[-1]):
        assert (heard["reason"], heard["seconds"]) == ("limit", 1.0)


def test_a_cancelled_stream_ends_without_an_answer(client: TestClient) -> None:
    one = said(client, start(), CANCEL)

    assert [message["type"] for message in one.heard] == ["ready"]
    assert one.code == 1000


def test_stable_is_what_had_the_same_first_results_before(client: TestClient) -> None:
    with client.websocket_connect("/stream") as socket:
        socket.send_text(start())
        answers = []
        for _ in range(3):
            socket.send_bytes(pcm("dog", 0.4))
            while (answer := socket.receive_json())["type"] != "interim":
                pass
            answers.append(answer)
    assert [answer["stable"] for answer in answers] == [False, True, True]


REFUSED: dict[str, tuple[list[str | bytes], int, str, int]] = {
    "no JSON": (["{"], 400, "malformed", 1007),
    "no object": (["[]"], 400, "malformed", 1007),
    "no type": (["{}"], 400, "malformed", 1007),
    "an unknown type": (['{"type":"begin"}'], 400, "malformed", 1007),
    "an end at first": ([END], 400, "malformed", 1007),
    "a cancel at first": ([CANCEL], 400, "malformed", 1007),
    "two starts": ([start(), start()], 400, "malformed", 1007),
    "deep nesting": (['{"type":"start","filter":' + "[" * 30_000], 400, "malformed", 1007),
    "a long text": ([" " * 70_000], 400, "malformed", 1007),
    "many values": (['{"type":"start","x":[' + "0," * 5000 + "0]}"], 400, "malformed", 1007),
    "an unknown field": ([start(rat=16_000)], 422, "invalid_parameter", 1007),
    "many fields": ([start(**{f"x{n}": n for n in range(100)})], 422, "invalid_parameter", 1007),
    "a rate that is none": ([start(rate=7)], 422, "invalid_parameter", 1007),
    "a filter that is none": ([start(filter={"colour": 1})], 422, "invalid_parameter", 1007),
    "many results": ([start(searches={"images": 1000})], 422, "invalid_parameter", 1007),
    "many collections": ([start(searches={str(n): 1 for n in range(9)})], 422, "invalid_parameter", 1007),
    "an unknown collection": ([start(searches={"none": 1})], 404, "collection_not_found", 1008),
    "an unknown branch": ([start(branch="cascaded")], 422, "branch_not_found", 1007),
    "nothing said": ([start(), END], 422, "audio_too_short", 1007),
    "a click": ([start(), pcm("dog", 0.05), END], 422, "audio_too_short", 1007),
    "silence": ([start(), bytes(32_000), END], 422, "silent_audio", 1007),
    "no file": ([start(format="container"), b"this is no audio" * 100, END], 415, "unsupported_media", 1007),
    "an empty file": ([start(format="container"), END], 415, "unsupported_media", 1007),
    "a large file": ([start(format="container"), *[bytes(1024 * 1024)] * 5], 413, "body_too_large", 1009),
    "a long file": ([start(format="container"), spoken("dog", 70)], 422, "audio_too_long", 1007),
}


@pytest.mark.parametrize("case", REFUSED)
def test_every_refusal_is_a_problem_and_then_a_close(client: TestClient, case: str) -> None:
    messages, status, code, close_code = REFUSED[case]
    problem(said(client, *messages), status, code, close_code)


def test_a_request_that_is_no_websocket_is_told_so(client: TestClient) -> None:
    answer = client.get("/stream")
    assert_problem(answer, 426, "upgrade_required")
    assert answer.headers["upgrade"] == "websocket"


def test_a_websocket_elsewhere_is_refused_as_a_request(client: TestClient) -> None:
    assert client.portal
    one = Talk(path="/search/images")
    client.portal.call(one.run, client.app)
    assert (one.denied, one.code) == (404, None)


def test_the_log_has_a_line_and_nothing_of_what_was_said(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "app.access"):
        said(client, start(), pcm("dog"), END)
        said(client, start(searches={"secret": 1}))
        said(client, start(), LEAVE)
    lines = [tuple(vars(line).get(name) for name in ("path", "status", "code")) for line in caplog.records]
    assert lines == [
        ("/stream", 101, None),
        ("/stream", 404, "collection_not_found"),
        ("/stream", 101, "client_gone"),
    ]
    assert "secret" not in caplog.text


def test_metrics(make_client: MakeClient) -> None:
    with make_client() as client:
        said(client, start(), pcm("dog"), END)
        said(client, "{")
        text = client.get("/metrics").text
    assert 'speechclip_requests_total{method="GET",route="/stream",status="101"} 1.0' in text
    assert 'speechclip_requests_total{method="GET",route="/stream",status="400"} 1.0' in text
    assert 'speechclip_refusals_total{code="malformed"} 1.0' in text
    assert 'speechclip_stream_answers_total{kind="final"} 1.0' in text
    assert "speechclip_streams 0.0" in text
