"""`docs/api.md` says what the code does: every path, code, setting, parameter and metric is in it, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.openapi import problem_kinds
from app.query.requests import SearchQuery
from app.settings import Settings

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of the tables in a section, without their heads, and without the marks of code."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]
    rules = [number for number, row in enumerate(cells) if set(row[0]) == {"-"}]
    heads = {number - 1 for number in rules} | set(rules)
    return [row for number, row in enumerate(cells) if number not in heads]


def test_the_paths(client: TestClient) -> None:
    document: dict[str, Any] = client.get("/openapi.json").json()
    served = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}

    assert {row[0] for row in rows("Paths")} == served | {"GET /", "GET /docs", "GET /openapi.json", "WS /stream"}


def test_the_errors() -> None:
    assert {(int(row[0]), row[1]) for row in rows("Errors")} == {(kind.status, kind.code) for kind in problem_kinds()}


def test_the_parameters() -> None:
    described = {row[0]: row[1] for row in rows("Parameters")}

    assert described.keys() == SearchQuery.options()
    assert (int(described["top_k"]), int(described["offset"])) == (
        SearchQuery.model_fields["top_k"].default,
        SearchQuery.model_fields["offset"].default,
    )


def test_the_fields_of_json() -> None:
    assert {row[0] for row in rows("Sending a query")} == SearchQuery.sources()


def test_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    described = {row[0].removeprefix("SPEECHCLIP_").lower(): row[1] for row in rows("Settings")}
    for name in described:
        monkeypatch.delenv(f"SPEECHCLIP_{name.upper()}", raising=False)
    defaults = Settings().model_dump()

    assert described.keys() == defaults.keys()
    assert {name: value for name, value in described.items() if name != "data"} == {
        name: str(value) for name, value in defaults.items() if name != "data"
    }


def test_the_metrics(client: TestClient) -> None:
    client.get("/nothing")
    text = client.get("/metrics").text
    exported = {name for name in re.findall(r"# TYPE (speechclip_\w+)", text) if not name.endswith("_created")}

    assert {row[0].split("{")[0] for row in rows("Metrics")} - {"process_..."} == exported


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(#([^)]+)\)", DOCUMENT))))
def test_its_links_lead_somewhere(target: str) -> None:
    titles = re.findall(r"^#+ (.+)$", DOCUMENT, re.MULTILINE)

    assert target in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_the_paths_below_v1(client: TestClient) -> None:
    assert client.post("/v1/search/images", json={"text": "dog"}).status_code == 200
    for path in ("/v1", "/v1/docs", "/v1/openapi.json"):
        assert client.get(path).status_code == 404
