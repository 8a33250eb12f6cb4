"""`POST /v1/embeddings`: what programs made for OpenAI's service send, and what they get."""

from __future__ import annotations

import base64
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.openai import MAX_INPUTS
from app.routes.embeddings import MAX_COMMAS
from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.fake_encoder import FakeEncoder, drawn, spoken

PATH = "/v1/embeddings"
ENCODER = FakeEncoder()


def ask(client: TestClient, input: object, **more: object) -> httpx2.Response:
    return client.post(PATH, json={"input": input, **more})


def vectors(answer: httpx2.Response) -> list[list[float]]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [one["index"] for one in body["data"]] == list(range(len(body["data"])))
    return [one["embedding"] for one in body["data"]]


def words(*words: str) -> list[list[float]]:
    return [ENCODER.vector(word).tolist() for word in words]


def data_url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


PNG = data_url(drawn("cat"), "image/png")
WAV = data_url(spoken("dog"), "audio/wav")


def test_a_text_has_one_vector(client: TestClient) -> None:
    answer = ask(client, "dog", model="fake", user="somebody", dimensions=16)

    assert vectors(answer) == words("dog")
    body = answer.json()
    assert (body["object"], body["model"]) == ("list", "fake")
    assert body["data"][0]["object"] == "embedding"
    assert body["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


def test_texts_have_theirs_in_their_order(client: TestClient) -> None:
    assert vectors(ask(client, ["dog", "cat", "dog"])) == words("dog", "cat", "dog")


def test_it_is_there_without_the_version_too(client: TestClient) -> None:
    assert vectors(client.post("/embeddings", json={"input": "dog"})) == words("dog")


def test_numbers_may_be_packed(client: TestClient) -> None:
    packed = vectors(ask(client, ["dog", "cat"], encoding_format="base64"))

    unpacked = [np.frombuffer(base64.b64decode(str(one)), "<f4").tolist() for one in packed]
    assert unpacked == words("dog", "cat")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "text", "text": "cat"},
        {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
        {"type": "image_url", "image_url": PNG},
        PNG,
    ],
)
def test_an_image_can_be_sent_in_several_ways(client: TestClient, part: object) -> None:
    assert vectors(ask(client, [part, "dog"])) == words("cat", "dog")
    assert vectors(ask(client, part)) == words("cat")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": WAV.split(",")[1], "format": "wav"}},
        {"type": "audio_url", "audio_url": {"url": WAV}},
        {"type": "audio_url", "audio_url": WAV},
        WAV,
    ],
)
def test_audio_can_be_sent_in_several_ways(client: TestClient, part: object) -> None:
    assert vectors(ask(client, part)) == words("dog")


@pytest.mark.parametrize(("modality", "url", "word"), [("image", PNG, "cat"), ("audio", WAV, "dog")])
def test_the_kind_of_all_inputs_can_be_said(client: TestClient, modality: str, url: str, word: str) -> None:
    anonymous = url.replace("image/png", "").replace("audio/wav", "")

    assert vectors(ask(client, [url, anonymous], modality=modality)) == words(word, word)


def test_a_text_about_a_data_url_stays_a_text_where_that_is_said(client: TestClient) -> None:
    text = "data:image/png is how such a text begins"

    assert vectors(ask(client, text, modality="text")) == words(text)
    assert_problem(ask(client, text), 422, "invalid_parameter")


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ("", "input.0.text.text"),
        ("   ", "input.0.text.text"),
        ("x" * 1001, "input.0.text.text"),
        ([], "input"),
        ([1, 2, 3], "input.0"),
        ([[1, 2], [3]], "input.0"),
        (["dog", None], "input.1"),
        ({"type": "video_url"}, "input.0"),
        ({"type": ["text"]}, "input.0"),
        ({"type": "text", "text": "dog", "more": 1}, "input.0.text.more"),
        ("data:image/png;base64,***", "input.0.image_url.image_url.url"),
        ("data:image/png,abc", "input.0.image_url.image_url.url"),
        ("data:image/png;base64,", "input.0.image_url.image_url.url"),
        ({"type": "image_url", "image_url": "http://127.0.0.1/secret.png"}, "input.0.image_url.image_url.url"),
        ({"type": "image_url", "image_url": "file:///etc/passwd"}, "input.0.image_url.image_url.url"),
        ({"type": "input_audio", "input_audio": {"data": "***"}}, "input.0.input_audio.input_audio.data"),
    ],
)
def test_an_impossible_input_is_refused_with_its_place(client: TestClient, input: object, field: str) -> None:
    problem = assert_problem(ask(client, input), 422, "invalid_parameter")

    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "more", [{"dimensions": 8}, {"encoding_format": "int8"}, {"modality": "video"}, {"unknown": 1}, {"model": 3}]
)
def test_an_impossible_parameter_is_refused(client: TestClient, more: dict[str, object]) -> None:
    assert_problem(ask(client, "dog", **more), 422, "invalid_parameter")


def test_another_model_is_not_there(client: TestClient) -> None:
    problem = assert_problem(ask(client, "dog", model="text-embedding-3-small"), 404, "model_not_found")

    assert "'fake'" in problem["detail"]


def test_too_many_inputs_are_refused_and_as_many_as_may_be_are_not(client: TestClient) -> None:
    assert len(vectors(ask(client, ["dog"] * MAX_INPUTS))) == MAX_INPUTS
    assert_problem(ask(client, ["dog"] * (MAX_INPUTS + 1)), 422, "invalid_parameter")
    assert_problem(ask(client, ["," * MAX_COMMAS, "dog"]), 400, "malformed")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed"),
        (b"", "application/json", 400, "malformed"),
        (b"[" * 100_000, "application/json", 400, "malformed"),
        (b"[]", "application/json", 422, "invalid_parameter"),
        (b"null", "application/json", 422, "invalid_parameter"),
        (b"{}", "application/json", 422, "invalid_parameter"),
        (b'{"input": "\\ud800"}', "application/json", 400, "malformed"),
        (b"input=dog", "application/x-www-form-urlencoded", 415, "unsupported_media"),
    ],
)
def test_a_body_that_is_no_request_is_refused(
    client: TestClient, body: bytes, content_type: str, status: int, code: str
) -> None:
    assert_problem(client.post(PATH, content=body, headers={"Content-Type": content_type}), status, code)


def test_a_compressed_body_is_refused(client: TestClient) -> None:
    answer = client.post(PATH, json={"input": "dog"}, headers={"Content-Encoding": "gzip"})

    assert_problem(answer, 415, "unsupported_media")


def test_media_that_cannot_be_read_is_refused_with_its_place(client: TestClient) -> None:
    silence = data_url(spoken("dog", seconds=0.01), "audio/wav")

    problem = assert_problem(ask(client, ["dog", silence]), 422, "audio_too_short")
    assert problem["errors"][0]["field"] == "input.1"
    assert_problem(ask(client, "data:image/png;base64,AAAA"), 415, "unsupported_media")


def test_a_list_is_embedded_in_groups(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client(batch_size=4) as client:
        assert vectors(ask(client, ["dog"] * 10)) == words(*["dog"] * 10)

    assert sum(size for _, size in encoder.batches) == 10
    assert max(size for _, size in encoder.batches) <= 4


def test_one_input_that_breaks_the_model_is_named(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client() as client:
        encoder.broken = lambda word: word == "an odd text"
        problem = assert_problem(ask(client, ["dog", "an odd text"]), 500, "encoding_failed")

    assert problem["errors"][0]["field"] == "input.1"


def test_an_answer_that_takes_too_long_is_given_up(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client(deadline_s=0.2) as client:
        encoder.open.clear()
        assert_problem(ask(client, "dog"), 504, "deadline_exceeded")
        assert_problem(ask(client, ["dog"] * 20), 504, "deadline_exceeded")
        encoder.open.set()
        tries = (ask(client, ["dog", "cat"]) for _ in range(100))
        assert vectors(next(answer for answer in tries if answer.is_success)) == words("dog", "cat")


def test_a_large_body_is_refused_as_everywhere(make_client: MakeClient) -> None:
    with make_client(max_body_bytes=2048) as client:
        assert_problem(ask(client, ["dog" * 300] * 3), 413, "body_too_large")


def test_the_description_tells_of_all_shapes(client: TestClient) -> None:
    document: dict[str, Any] = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    input = schemas["EmbeddingsRequest"]["properties"]["input"]

    assert document["paths"]["/embeddings"]["post"]["requestBody"]["content"].keys() == {"application/json"}
    assert [one.get("type") for one in input["anyOf"]] == ["string", None, "array"]
    assert {"TextPart", "ImagePart", "InputAudioPart", "AudioUrlPart"} <= schemas.keys()
