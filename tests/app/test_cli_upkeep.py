"""`speechclip collections create`, `compact`, `snapshot` and `restore`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings
from index.store import Store
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import WORDS, FakeEncoder


@pytest.fixture
def speechclip(settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> Speechclip:
    return make_speechclip(settings.data, encoder, monkeypatch)


def test_create(speechclip: Speechclip, encoder: FakeEncoder) -> None:
    assert speechclip.run("collections", "create", "mine", "--kind", "captions").exit_code == 0

    facts = speechclip.json("collections", "info", "mine")
    assert (facts["kind"], facts["count"], facts["model"]) == ("captions", 0, encoder.fingerprint)
    speechclip.loaded.clear()
    assert "already" in speechclip.refused("collections", "create", "mine")
    assert speechclip.loaded == []
    assert "no name for a collection" in speechclip.refused("collections", "create", "MINE")


def test_compact(speechclip: Speechclip) -> None:
    assert "before" in speechclip.run("collections", "compact", "images").stderr
    assert speechclip.json("collections", "info", "images")["count"] == len(WORDS)
    assert "no collection 'nothing'" in speechclip.refused("collections", "compact", "nothing")


def test_a_snapshot_where_it_is_wanted(speechclip: Speechclip, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "images.snapshot"
    assert speechclip.run("collections", "snapshot", "images", file).stdout == f"{file}\n"

    assert "already" in speechclip.refused("collections", "snapshot", "images", file)
    assert speechclip.run("collections", "restore", file, "--name", "copy").exit_code == 0
    assert speechclip.json("collections", "info", "copy")["count"] == len(WORDS)


def test_a_snapshot_in_the_folder_of_snapshots(speechclip: Speechclip, settings: Settings) -> None:
    path = Path(speechclip.run("collections", "snapshot", "images").stdout.strip())
    assert path.parent == settings.snapshots
    Store(settings.data / "collections").delete("images")

    assert speechclip.run("collections", "restore", path.name).exit_code == 0
    assert speechclip.json("collections", "info", "images")["count"] == len(WORDS)
    assert "already" in speechclip.refused("collections", "restore", path.name)
    assert speechclip.run("collections", "restore", path.name, "--replace").exit_code == 0


def test_what_is_no_snapshot(speechclip: Speechclip, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")

    assert "no snapshot" in speechclip.refused("collections", "restore", tmp_path / "notes.txt")
    assert "there is no file" in speechclip.refused("collections", "restore", "nothing.snapshot")


@pytest.mark.parametrize("command", [("compact", "odd"), ("snapshot", "odd")])
def test_what_a_service_has_open_is_left_to_it(speechclip: Speechclip, command: tuple[str, str]) -> None:
    with Store(speechclip.data / "collections").open("odd"):
        assert "speechclip serve" in speechclip.refused("collections", *command)
