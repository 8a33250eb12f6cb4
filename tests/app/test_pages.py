"""`/` and `/docs`: all they need comes from here."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.app.problems import assert_problem

APP = Path(__file__).resolve().parents[2] / "app"
ASSETS = re.compile(r'(?:src|href)="([^"#]+)"')


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_and_everything_it_names(client: TestClient, path: str) -> None:
    page = client.get(path)

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assets = ASSETS.findall(page.text)
    assert assets
    for asset in assets:
        assert "//" not in asset
        assert client.get(f"/{asset.removeprefix('/').removeprefix('./')}").status_code == 200, asset


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_keeps_to_its_policy(client: TestClient, path: str) -> None:
    page = client.get(path)

    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|<style", page.text)


@pytest.mark.parametrize("folder", ["page", "reference"])
def test_no_file_of_a_page_names_another_host(folder: str) -> None:
    # Whose words are in `examples` is said with addresses, which nothing asks.
    for file in (path for path in (APP / folder).rglob("*.*") if path.parent.name != "examples"):
        foreign = re.findall(r"https?://(?!www\.w3\.org/)[^\s\"']+", file.read_text("utf-8"))
        assert foreign == [], file


def test_a_page_is_not_sent_again_while_it_is_the_same(client: TestClient) -> None:
    first = client.get("/page/app.js")
    again = client.get("/page/app.js", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/page/search.css", "/docs", "/docs/reference.js"])
def test_a_file_is_compressed_for_whoever_takes_it(client: TestClient, path: str) -> None:
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    with client.stream("GET", path, headers={"Accept-Encoding": "br, gzip"}) as answer:
        sent = b"".join(answer.iter_raw())

    assert (plain.headers["vary"], answer.headers["vary"]) == ("Accept-Encoding", "Accept-Encoding")
    assert "content-encoding" not in plain.headers
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(sent) < 0.6 * len(plain.content)
    assert gzip.decompress(sent) == plain.content
    for name in ("cache-control", "content-type", "content-security-policy", "etag"):
        assert answer.headers[name] == plain.headers[name]
    assert answer.headers["etag"].startswith('W/"')  # one name for both


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_compressed_file_is_not_sent_again_and_head_tells_of_it(client: TestClient, coding: str) -> None:
    takes = {"Accept-Encoding": coding}
    first = client.get("/page/app.js", headers=takes)
    head = client.head("/page/app.js", headers=takes)
    again = client.get("/page/app.js", headers={**takes, "If-None-Match": first.headers["etag"]})

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-encoding", "vary", "etag", "cache-control"):
        assert head.headers.get(name) == first.headers.get(name), name
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert (again.headers["vary"], again.headers["cache-control"]) == ("Accept-Encoding", "no-cache")
    assert "content-encoding" not in again.headers


def test_the_description_of_the_api_is_compressed_too(client: TestClient) -> None:
    answer = client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 20_000
    assert "/search/images" in answer.json()["paths"]


def test_a_part_of_a_file_is_that_of_the_plain_one(client: TestClient) -> None:
    plain = client.get("/page/app.js").content
    part = client.get("/page/app.js", headers={"Accept-Encoding": "gzip", "Range": "bytes=10-19"})

    assert (part.status_code, part.content) == (206, plain[10:20])
    assert "content-encoding" not in part.headers


@pytest.mark.parametrize("path", ["/page/examples/golf.mp3", "/info", "/collections", "/metrics"])
def test_sounds_and_answers_are_never_compressed(client: TestClient, path: str) -> None:
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})

    assert answer.status_code == 200
    assert len(answer.content) > 500
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/page/none.js", "/page/../main.py", "/page/%2e%2e/main.py", "/page/..%2fmain.py", "/docs/../errors.py", "/page/"],
)
def test_nothing_else_of_the_package_is_served(client: TestClient, path: str) -> None:
    assert_problem(client.get(path), 404, "not_found")
