"""`/` and `/docs`: all they need comes from here."""

from __future__ import annotations

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
    for file in (APP / folder).rglob("*.*"):
        foreign = re.findall(r"https?://(?!www\.w3\.org/)[^\s\"']+", file.read_text("utf-8"))
        assert foreign == [], file


def test_a_page_is_not_sent_again_while_it_is_the_same(client: TestClient) -> None:
    first = client.get("/page/app.js")
    again = client.get("/page/app.js", headers={"If-None-Match": first.headers["etag"]})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


@pytest.mark.parametrize(
    "path",
    ["/page/none.js", "/page/../main.py", "/page/%2e%2e/main.py", "/page/..%2fmain.py", "/docs/../errors.py", "/page/"],
)
def test_nothing_else_of_the_package_is_served(client: TestClient, path: str) -> None:
    assert_problem(client.get(path), 404, "not_found")
