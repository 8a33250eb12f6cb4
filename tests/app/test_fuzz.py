"""Whatever is sent: never a mistake of the service's own, and every refusal a problem."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.app.problems import assert_any_problem
from tests.fake_encoder import drawn, spoken

MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PATHS = st.sampled_from(
    ["/search/images", "/search/captions", "/search/odd", "/search/none", "/keywords", "/embed", "/v1/search/images"]
)
FILES = [spoken("dog", 0.2), drawn("dog"), drawn("cat", "JPEG")]
CONTENT_TYPES = st.one_of(
    st.sampled_from(
        [
            "audio/wav",
            "image/png",
            "application/json",
            "application/octet-stream",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "application/json; charset=utf-16",
            "application/x-www-form-urlencoded",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
FIELDS = [
    "audio",
    "image",
    "text",
    "vector",
    "id",
    "collection",
    "top_k",
    "offset",
    "min_score",
    "include",
    "filter",
    "group_by",
    "diversity",
    "words",
    "heard",
    "queries",
    "data",
    "x",
]
QUERIES = st.dictionaries(
    st.sampled_from(FIELDS),
    JSON
    | st.fixed_dictionaries({"data": st.sampled_from([base64.b64encode(file).decode() for file in FILES])})
    | st.lists(st.floats(), min_size=16, max_size=16),
    max_size=4,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good file, cut short and with some bytes changed."""
    data = bytearray(draw(st.sampled_from(FILES)))
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))])


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """Something like a multipart body with the boundary ``x``."""
    names = st.sampled_from(["file", "audio", "image", "top_k", "include", "", "é"]) | st.text(max_size=5)
    parts = []
    for name in draw(st.lists(names, max_size=3)):
        filename = draw(st.sampled_from(["", '; filename="a.wav"', "; filename*=utf-8''%ff", '; filename="']))
        head = f'Content-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode("utf-8", "replace")
        parts.append(b"--x\r\n" + head + draw(damaged() | st.binary(max_size=20)) + b"\r\n")
    return b"".join(parts) + draw(st.sampled_from([b"--x--\r\n", b"--x", b"", b"--y--\r\n"]))


def check(client: TestClient, path: str, **request: Any) -> None:
    answer = client.post(path, **request)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert_any_problem(answer)
    else:
        assert answer.headers["content-type"] == "application/json"


@MANY
@given(path=PATHS, content_type=CONTENT_TYPES, body=st.binary(max_size=200) | damaged() | forms())
def test_any_bytes_of_any_type(client: TestClient, path: str, content_type: str, body: bytes) -> None:
    check(client, path, content=body, headers={"Content-Type": content_type})


@MANY
@given(path=PATHS, query=QUERIES | JSON)
def test_any_json(client: TestClient, path: str, query: object) -> None:
    content = json.dumps(query).encode("utf-8", "surrogatepass")
    check(client, path, content=content, headers={"Content-Type": "application/json"})


@MANY
@given(path=PATHS, body=forms())
def test_any_form(client: TestClient, path: str, body: bytes) -> None:
    check(client, path, content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})


@MANY
@given(
    path=PATHS,
    parameters=st.lists(st.tuples(st.sampled_from(FIELDS) | st.text(max_size=5), st.text(max_size=8)), max_size=4),
)
def test_any_parameters(client: TestClient, path: str, parameters: list[tuple[str, str]]) -> None:
    safe = [(name.encode("utf-8", "replace"), value.encode("utf-8", "replace")) for name, value in parameters]
    check(client, path, params=safe, json={"text": "dog"})


@MANY
@given(
    path=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    start=st.sampled_from(["", "media/", "collections/", "media/odd/", "page/", "docs/"]),
)
def test_any_path(client: TestClient, start: str, path: str) -> None:
    answer = client.get(f"/{start}{quote(path)}", follow_redirects=False)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert_any_problem(answer)
