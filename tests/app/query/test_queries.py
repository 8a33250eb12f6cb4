"""Three ways to send a query, and all the ways to send none."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.query.queries import sniff
from tests import audio_files
from tests.app.problems import assert_problem
from tests.fake_encoder import drawn, spoken
from tests.processor import within

BASE64 = base64.b64encode(spoken("dog")).decode()


def query_of(client: TestClient, **request: Any) -> dict[str, Any]:
    answer = client.post("/search/images", **request)
    assert answer.status_code == 200, answer.text
    assert answer.json()["results"][0]["id"] == "dog"
    query: dict[str, Any] = answer.json()["query"]
    return query


@pytest.mark.parametrize("field", ["file", "audio"])
def test_a_form_with_a_sound(client: TestClient, field: str) -> None:
    assert query_of(client, files={field: spoken("dog")})["kind"] == "audio"


@pytest.mark.parametrize("field", ["file", "image"])
@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "GIF", "JPEG"])
def test_a_form_with_an_image(client: TestClient, field: str, format: str) -> None:
    query = query_of(client, files={field: drawn("dog", format)})

    assert query == {"kind": "image", "format": format.lower(), "seconds": None, "truncated": False}


def test_the_name_and_type_of_a_file_mean_nothing(client: TestClient) -> None:
    assert query_of(client, files={"file": ("dog.png", spoken("dog"), "image/png")})["format"] == "wav"


@pytest.mark.parametrize(
    "media_type",
    ["audio/wav", "audio/webm;codecs=opus", "AUDIO/X-Anything", "video/webm", "video/mp4", "application/octet-stream"],
)
def test_a_raw_sound(client: TestClient, media_type: str) -> None:
    assert query_of(client, content=spoken("dog"), headers={"Content-Type": media_type})["kind"] == "audio"


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream"])
def test_a_raw_image(client: TestClient, media_type: str) -> None:
    assert query_of(client, content=drawn("dog"), headers={"Content-Type": media_type})["kind"] == "image"


def test_raw_bytes_of_no_declared_type(client: TestClient) -> None:
    assert query_of(client, content=spoken("dog"))["kind"] == "audio"


def test_json(client: TestClient) -> None:
    assert query_of(client, json={"audio": {"data": BASE64}})["kind"] == "audio"
    assert query_of(client, json={"text": "dog"})["kind"] == "text"
    problem_json = {"content": b'{"text": "dog"}', "headers": {"Content-Type": "application/vnd.api+json"}}
    assert query_of(client, **problem_json)["kind"] == "text"


@pytest.mark.parametrize("kind", ["webm-live", "ogg-opus", "m4a", "mp3", "flac-16"])
def test_what_browsers_and_phones_record(client: TestClient, kind: str) -> None:
    recording = audio_files.encode(audio_files.tone(1.0, 48_000, 300.0), 48_000, kind)
    query = query_of(client, content=recording, headers={"Content-Type": "audio/x-whatever"})

    assert query["format"] == audio_files.KINDS[kind].sniffed
    assert query["seconds"] == pytest.approx(1.0, abs=0.1)


def test_a_file_that_broke_off_is_used_and_said_to_be_truncated(client: TestClient) -> None:
    assert query_of(client, content=spoken("dog", 2.0)[:40_000])["truncated"] is True


@pytest.mark.parametrize(
    "request_",
    [
        {"url": "/search/images?top_k=2&include=uri", "json": {"text": "dog"}},
        {"url": "/search/images?include=uri", "json": {"text": "dog", "top_k": 2}},
        {"url": "/search/images", "files": {"file": spoken("dog")}, "data": {"top_k": "2", "include": "uri"}},
        {"url": "/search/images?top_k=2&include=uri", "content": spoken("dog")},
    ],
)
def test_parameters_come_from_wherever_they_were_put(client: TestClient, request_: dict[str, Any]) -> None:
    results = client.post(**request_).json()["results"]

    assert len(results) == 2
    assert "uri" in results[0]
    assert "metadata" not in results[0]


def test_include_may_be_given_more_than_once(client: TestClient) -> None:
    result = client.post("/search/images?include=uri&include=metadata", json={"text": "dog"}).json()["results"][0]

    assert {"uri", "metadata"} <= result.keys()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("top_k=0", "top_k"),
        ("top_k=1001", "top_k"),
        ("top_k=ten", "top_k"),
        ("top_k=", "top_k"),
        ("offset=-1", "offset"),
        ("offset=10001", "offset"),
        ("min_score=2", "min_score"),
        ("min_score=nan", "min_score"),
        ("include=secrets", "include"),
        ("topk=3", "topk"),
        ("top_k=1&top_k=2", "top_k"),
        ("text=dog", "text"),
        ("collection=odd", "collection"),
    ],
)
def test_an_impossible_parameter_is_named(client: TestClient, query: str, field: str) -> None:
    problem = assert_problem(client.post(f"/search/images?{query}", content=spoken("dog")), 422, "invalid_parameter")
    assert field in problem["detail"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "exactly one of audio, id, image, queries, text, vector; got none"),
        ({"text": "dog", "id": "dog"}, "got id, text"),
        ({"text": "dog", "colour": "red"}, "colour"),
        ({"text": ""}, "text"),
        ({"text": " \n"}, "text"),
        ({"text": "x" * 1001}, "text"),
        ({"text": 5}, "text"),
        ({"text": None}, "got none"),
        ({"audio": BASE64}, "audio"),
        ({"audio": {"data": "not base64!"}}, "base64"),
        ({"audio": {"data": "é"}}, "base64"),
        ({"audio": {"data": ""}}, "data"),
        ({"audio": {"data": BASE64, "url": "http://x"}}, "url"),
        ({"audio": {"url": "http://169.254.169.254/"}}, "url"),
        ({"text": "dog", "collection": "odd"}, "needs an id"),
        ({"id": "x" * 257}, "id"),
        ({"vector": [1.0] * 8193}, "vector"),
        ({"text": "dog", "top_k": None}, "top_k"),
    ],
)
def test_an_impossible_query_is_explained(client: TestClient, body: dict[str, object], words: str) -> None:
    problem = assert_problem(client.post("/search/images", json=body), 422, "invalid_parameter")

    assert words in problem["detail"]
    assert BASE64[:50] not in str(problem)


def test_a_parameter_is_given_in_one_place(client: TestClient) -> None:
    answer = client.post("/search/images?top_k=2", json={"text": "dog", "top_k": 3})

    assert "top_k" in assert_problem(answer, 422, "invalid_parameter")["detail"]


def test_findings_are_listed_but_not_without_end(client: TestClient) -> None:
    problem = assert_problem(client.post("/search/images", json={"vector": ["x"] * 8000}), 422, "invalid_parameter")

    assert 1 <= len(problem["errors"]) <= 20
    assert problem["errors"][0].keys() == {"field", "detail"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"3", b'"dog"', b"\xff\xfe", b'{"text": "\\ud800"}', b"[" * 100_000, b'{"vector": [NaN]}'],
)
def test_what_is_not_a_json_object_is_malformed(client: TestClient, body: bytes) -> None:
    answer = client.post("/search/images", content=body, headers={"Content-Type": "application/json"})

    assert_problem(answer, 400, "malformed")


@pytest.mark.parametrize("media_type", ["audio/wav", "image/png", "application/octet-stream"])
def test_an_empty_body_is_malformed(client: TestClient, media_type: str) -> None:
    assert_problem(client.post("/search/images", headers={"Content-Type": media_type}), 400, "malformed")


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "video/avi", "multipart/mixed", "nonsense"]
)
def test_another_type_of_body_is_unsupported(client: TestClient, media_type: str) -> None:
    answer = client.post("/search/images", content=spoken("dog"), headers={"Content-Type": media_type})

    assert "Content-Type: audio/*" in assert_problem(answer, 415, "unsupported_media")["detail"]


def test_a_compressed_body_is_unsupported(client: TestClient) -> None:
    answer = client.post("/search/images", content=spoken("dog"), headers={"Content-Encoding": "gzip"})

    assert_problem(answer, 415, "unsupported_media")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"this is no sound at all, whatever it is called", 415, "unsupported_media"),
        (b"\x89PNG\r\n\x1a\n and then nothing", 415, "unsupported_media"),
        (spoken("dog")[:40], 415, "unsupported_media"),
        (spoken("dog", 0.05), 422, "audio_too_short"),
        (spoken("dog", 31), 422, "audio_too_long"),
        (audio_files.encode(audio_files.tone(1, 16_000, level=0.0), 16_000, "flac-16"), 422, "silent_audio"),
    ],
)
def test_a_file_that_cannot_be_used(client: TestClient, content: bytes, status: int, code: str) -> None:
    assert_problem(client.post("/search/images", files={"file": content}), status, code)


def test_a_sound_that_is_called_an_image_is_refused_as_an_image(client: TestClient) -> None:
    assert_problem(client.post("/search/images", files={"image": spoken("dog")}), 415, "unsupported_media")


@pytest.mark.parametrize(
    "files",
    [
        [("file", spoken("dog")), ("file", spoken("dog"))],
        [("audio", spoken("dog")), ("image", drawn("dog"))],
    ],
)
def test_a_form_has_one_file(client: TestClient, files: list[tuple[str, bytes]]) -> None:
    assert_problem(client.post("/search/images", files=files), 400, "malformed")


def test_a_form_has_few_and_small_fields(client: TestClient) -> None:
    many = {f"field{number}": "x" for number in range(9)}
    assert_problem(client.post("/search/images", files={"file": spoken("dog")}, data=many), 400, "malformed")
    huge = {"include": "x" * 5000}
    assert_problem(client.post("/search/images", files={"file": spoken("dog")}, data=huge), 400, "malformed")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"files": {"sound": spoken("dog")}}, "'sound'"),
        ({"files": {"file": spoken("dog")}, "data": {"text": "dog"}}, "'text'"),
        ({"files": {"top_k": spoken("dog")}}, "'top_k'"),
    ],
)
def test_an_unknown_field_of_a_form_is_named(client: TestClient, form: dict[str, Any], words: str) -> None:
    assert words in assert_problem(client.post("/search/images", **form), 422, "invalid_parameter")["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"--x--\r\n", b'--x\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n2\r\n--x--\r\n']
)
def test_a_form_without_a_file_is_refused(client: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/search/images", content=body, headers=headers)

    assert answer.status_code in (400, 422)
    assert_problem(answer, answer.status_code, "malformed" if answer.status_code == 400 else "invalid_parameter")


@pytest.mark.parametrize(
    "body", [b"no form", b"--x\r\n\r\n\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\n2\r\n--x--"]
)
def test_a_broken_form_is_malformed(client: TestClient, body: bytes) -> None:
    for media_type in ("multipart/form-data; boundary=x", "multipart/form-data"):
        answer = client.post("/search/images", content=body, headers={"Content-Type": media_type})
        assert_problem(answer, 400, "malformed")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b'{"text": [' + b"[]," * 3_000_000 + b"[]]}", 400),
        (json.dumps({str(number): 0 for number in range(500_000)}).encode(), 400),
        (json.dumps({str(number): 0 for number in range(10_000)}).encode(), 422),
        (json.dumps({"audio": {str(number): 0 for number in range(10_000)}}).encode(), 422),
        (json.dumps({"text": "dog", "include": ["x"] * 10_000}).encode(), 422),
        (json.dumps({"vector": ["x"] * 8192}).encode(), 422),
        (b'{"vector": [' + b"9" * 1_000_000 + b"]}", 400),
        (b'{"vector": [' + b"9" * 400 + b"]}", 422),
        (b"[" * 1_000_000, 400),
    ],
)
def test_json_that_is_costly_to_read_is_refused_at_once(client: TestClient, content: bytes, status: int) -> None:
    """While it is read, nobody else is answered: the slowest of these once took seven seconds."""
    json = {"Content-Type": "application/json"}
    answer = within(1, lambda: client.post("/search/images", content=content, headers=json))

    assert_problem(answer, status, "malformed" if status == 400 else "invalid_parameter")
    assert len(answer.content) < 10_000


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (drawn("dog", "PNG"), "image"),
        (drawn("dog", "JPEG"), "image"),
        (drawn("dog", "WEBP"), "image"),
        (drawn("dog", "GIF"), "image"),
        (drawn("dog", "BMP"), "image"),
        (spoken("dog"), "audio"),
        (b"\0\0\0\x20ftypavif", "image"),
        (b"\0\0\0\x20ftypM4A ", "audio"),
        (b"", "audio"),
    ],
)
def test_sniffing_reads_the_first_bytes(data: bytes, kind: str) -> None:
    assert sniff(data) == kind
