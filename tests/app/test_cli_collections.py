"""`speechclip collections`."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings
from index.store import Store
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import FakeEncoder


@pytest.fixture
def speechclip(settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> Speechclip:
    return make_speechclip(settings.data, encoder, monkeypatch)


@pytest.fixture
def damaged(speechclip: Speechclip) -> str:
    (speechclip.data / "collections" / "odd" / "manifest.json").write_text("{")
    return "odd"


def test_the_list_is_the_service_s(speechclip: Speechclip, client: TestClient) -> None:
    here, there = speechclip.json("collections", "list"), client.get("/collections").json()
    for one in (*here["collections"], *there["collections"]):
        assert one.pop("bytes") > 10_000  # a log beside the records comes and goes
    assert here == there


def test_the_list_as_a_table(speechclip: Speechclip, encoder: FakeEncoder) -> None:
    lines = [line.split() for line in speechclip.run("collections", "list").stdout.splitlines()]

    assert lines[0] == ["name", "kind", "count", "model", "status"]
    assert lines[2] == ["images", "images", "5", encoder.fingerprint[:12], "ready"]


def test_no_collections(speechclip: Speechclip, tmp_path: Path) -> None:
    result = speechclip.run("collections", "list", "--data", tmp_path / "new")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "There are no collections" in result.stderr
    assert speechclip.json("collections", "list", "--data", tmp_path / "new") == {"collections": []}


def test_the_list_tells_which_cannot_be_used(speechclip: Speechclip, damaged: str) -> None:
    with Store(speechclip.data / "collections").open("images"):
        listed = speechclip.json("collections", "list")["collections"]

    by_name = {one["name"]: one for one in listed}
    assert "damaged" in by_name[damaged]["detail"]
    assert "open elsewhere" in by_name["images"]["detail"]
    assert by_name["captions"]["status"] == "ready"
    assert "damaged" in speechclip.run("collections", "list").stdout


def test_info(speechclip: Speechclip, encoder: FakeEncoder, media_root: Path) -> None:
    facts = speechclip.json("collections", "info", "images")

    assert (facts["kind"], facts["count"], facts["model"]) == ("images", 5, encoder.fingerprint)
    assert facts["media_root"] == str(media_root)
    lines = [line.split() for line in speechclip.run("collections", "info", "images").stdout.splitlines()]
    assert ["count", "5"] in lines
    assert ["model", encoder.fingerprint] in lines


def test_info_of_what_cannot_be_opened(speechclip: Speechclip, damaged: str) -> None:
    assert "no collection 'nothing'" in speechclip.refused("collections", "info", "nothing")
    assert "damaged" in speechclip.refused("collections", "info", damaged)


def test_delete_asks_first(speechclip: Speechclip) -> None:
    result = speechclip.run("collections", "delete", "odd", stdin="n\n")
    assert result.exit_code == 1
    assert "odd" in Store(speechclip.data / "collections").names()

    result = speechclip.run("collections", "delete", "odd", stdin="y\n")
    assert result.exit_code == 0
    assert "odd" not in Store(speechclip.data / "collections").names()


def test_nobody_there_to_ask_deletes_nothing(speechclip: Speechclip) -> None:
    assert speechclip.run("collections", "delete", "odd", stdin="").exit_code == 1
    assert "odd" in Store(speechclip.data / "collections").names()


def test_delete_without_asking(speechclip: Speechclip, damaged: str) -> None:
    assert speechclip.run("collections", "delete", damaged, "--yes").exit_code == 0

    assert damaged not in Store(speechclip.data / "collections").names()
    assert "no collection 'odd'" in speechclip.refused("collections", "delete", damaged)


def test_what_is_open_is_not_deleted(speechclip: Speechclip) -> None:
    with Store(speechclip.data / "collections").open("odd"):
        assert "speechclip serve" in speechclip.refused("collections", "delete", "odd", "--yes")
