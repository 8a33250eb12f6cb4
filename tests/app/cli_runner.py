"""Runs `speechclip` inside the test's process, with an encoder that needs no model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import program
from models.errors import ModelFolderError
from tests.fake_encoder import FakeEncoder

ENVIRONMENT = {"COLUMNS": "200", "SPEECHCLIP_MODEL": None, "SPEECHCLIP_HOST": None, "SPEECHCLIP_PORT": None}


class Speechclip:
    """The program with its data folder; `loaded` are the models that it asked for."""

    def __init__(self, data: Path, encoder: FakeEncoder) -> None:
        self.data, self.encoder = data, encoder
        self.loaded: list[str] = []

    def run(self, *arguments: object, stdin: bytes | str | None = None, **environment: str) -> Result:
        """What an exception escapes from is a fault of the program: it is raised here."""
        return CliRunner().invoke(
            program,
            [str(argument) for argument in arguments],
            input=stdin,
            env={**ENVIRONMENT, "SPEECHCLIP_DATA": str(self.data), **environment},
            catch_exceptions=False,
            prog_name="speechclip",
        )

    def json(self, *arguments: object, stdin: bytes | None = None, status: int = 0) -> Any:
        """The JSON that stdout is, all of it."""
        result = self.run(*arguments, "--json", stdin=stdin)
        assert result.exit_code == status, result.stderr
        return json.loads(result.stdout)

    def refused(self, *arguments: object, stdin: bytes | None = None, status: int = 1) -> str:
        """The one sentence with which a command is refused."""
        result = self.run(*arguments, stdin=stdin)
        assert (result.exit_code, result.stdout) == (status, "")
        lines = result.stderr.splitlines()
        if status == 1:
            assert len(lines) == 1, result.stderr
        return lines[-1].removeprefix("Error: ")

    def load_encoder(self, name_or_path: str, precision: str) -> FakeEncoder:
        self.loaded.append(name_or_path)
        if name_or_path == "missing":
            raise ModelFolderError("no model 'missing'")
        return self.encoder


def make_speechclip(data: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> Speechclip:
    """Put the encoder in the place of `models.encoder`, which would bring torch."""
    speechclip = Speechclip(data, encoder)
    module: Any = ModuleType("models.encoder")
    module.load_encoder = speechclip.load_encoder
    monkeypatch.setitem(sys.modules, "models.encoder", module)
    return speechclip
