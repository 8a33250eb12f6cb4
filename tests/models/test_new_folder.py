"""A folder appears with all that is in it, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from models.errors import ConversionError
from models.new_folder import new_folder, require_space


def test_it_appears_when_it_is_complete(tmp_path: Path) -> None:
    with new_folder(tmp_path / "deep" / "down") as work:
        (work / "file").write_text("whole")
        assert not (tmp_path / "deep" / "down").exists()

    assert (tmp_path / "deep" / "down" / "file").read_text() == "whole"
    assert os.listdir(tmp_path / "deep") == ["down"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_is_raised_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "out") as work:
            (work / "file").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert os.listdir(tmp_path) == []


def test_what_a_kill_has_left_is_cleared(tmp_path: Path) -> None:
    left = tmp_path / ".out.new"
    (left / "folder").mkdir(parents=True)
    (left / "file").write_text("half")
    (left / "link").symlink_to(tmp_path)

    with new_folder(tmp_path / "out") as work:
        assert os.listdir(work) == []
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", ["file", "folder", "empty", "link", "dangling"])
def test_what_is_there_is_not_touched(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    match kind:
        case "file":
            out.write_text("mine")
        case "link":
            out.symlink_to(tmp_path)
        case "dangling":
            out.symlink_to(tmp_path / "nowhere")
        case _:
            out.mkdir()
            if kind == "folder":
                (out / "mine").write_text("mine")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(ConversionError, match="is there already"), new_folder(out):
        pass
    assert sorted(tmp_path.iterdir()) == before


def test_what_appears_meanwhile_is_not_touched(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="is there already"), new_folder(tmp_path / "out"):
        (tmp_path / "out").write_text("mine")
    assert (tmp_path / "out").read_text() == "mine"
    assert os.listdir(tmp_path) == ["out"]


def test_two_at_once_are_told_apart(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as work:
        (work / "file").write_text("whole")
        with pytest.raises(ConversionError, match="is in use"), new_folder(tmp_path / "out"):
            pass
        assert (work / "file").exists()
    assert (tmp_path / "out" / "file").exists()


def test_a_link_is_not_worked_in(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    (tmp_path / ".out.new").symlink_to(tmp_path / "mine")

    with pytest.raises(ConversionError, match="out cannot be written"), new_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "mine" / "file").exists()


def test_a_place_where_nothing_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for out in (tmp_path / "file" / "out", tmp_path / ("x" * 300)):
        with pytest.raises(ConversionError, match="cannot be written"), new_folder(out):
            pass


def test_too_little_room_is_told_in_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 29))
    require_space(tmp_path, 1 << 29)

    with pytest.raises(ConversionError, match=r"it needs 1\.00 GiB, 0\.50 GiB are free"):
        require_space(tmp_path, 1 << 30)
