"""`python -m training`."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.__main__ import app, main

STAGES = ("clip", "read", "scenes", "listen", "align", "tune", "again")
COMMANDS = ("fetch", "speak", *STAGES, "export", "gallery", "evaluate")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    """What the program says when it ends; empty where all went well."""
    monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return str(ended.value.code or "")


def test_help_names_every_step() -> None:
    said = CliRunner().invoke(app, ["--help"])

    assert said.exit_code == 0
    assert [command for command in (*COMMANDS, "between") if command not in said.output] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_step_says_what_it_does_and_where_it_keeps_its_files(command: str) -> None:
    said = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})

    assert said.exit_code == 0
    assert "--work" in said.output


def test_programs_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)

    assert run(monkeypatch, "speak", "--work", tmp_path) == "install first: espeak-ng, flite, festival"
    assert "install npm first" in run(monkeypatch, "fetch", "--work", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["clip", "read", "scenes", "listen", "align", "tune"])
def test_a_step_too_early_says_what_comes_first(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "first" in run(monkeypatch, command, "--work", tmp_path)


def test_the_gallery_is_written(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packages").symlink_to(packages)

    assert run(monkeypatch, "gallery", "--work", tmp_path, "--out", tmp_path / "demo") == ""
    assert len(json.loads((tmp_path / "demo" / "lexicon.json").read_text(encoding="utf-8"))) == 6


def test_a_card_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = run(monkeypatch, "export", tmp_path / "out", tmp_path / "card.md", "--work", tmp_path)

    assert said == f"the model card {tmp_path / 'card.md'} cannot be read: No such file or directory"


@pytest.mark.parametrize("arguments", [("again", "nobody", "out"), ("between", "nobody", "nano", "out")])
def test_a_model_that_is_not_there_is_told(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no model 'nobody'" in run(monkeypatch, *arguments)
