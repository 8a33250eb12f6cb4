"""`speechclip data scenes`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.training.scenes.scene_packages import Choir
from training.cli import app


@pytest.fixture(autouse=True)
def choir(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = {name: Choir for name in ("espeak", "flite", "kokoro")}
    monkeypatch.setattr("training.scenes.shards.heard_in_training", lambda packages: engines)
    monkeypatch.setattr("training.scenes.shards.never_heard", lambda packages: engines)
    monkeypatch.setattr("training.scenes.corpus.missing", lambda names: [])


def run(packages: Path, out: Path, *options: object) -> Result:
    splits = [f"--{name}=0" for name in ("dev", "test-voices", "test-compositions", "test-drawings")]
    fixed = ["data", "scenes", out, "--packages", packages, "--workers", 1, *splits]
    return CliRunner().invoke(app, [str(argument) for argument in (*fixed, *options)])


def test_a_corpus_is_made_and_told(packages: Path, tmp_path: Path) -> None:
    result = run(packages, tmp_path / "scenes", "--scenes", 1, "--voice", "espeak=1")

    assert result.exit_code == 0, result.output
    assert result.stdout == f"100 scenes are in {tmp_path / 'scenes'}.\n"
    assert [path.name for path in (tmp_path / "scenes").glob("*.tar")] == ["train-000000.tar"]


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--voice=robot=1", "'robot' is none of espeak, pico,"),
        ("--voice=espeak", "'espeak' is not as in espeak=0.5"),
        ("--voice=espeak=0", "the share of espeak is 0"),
        ("--voice=espeak=nan", "the share of espeak is nan"),
        ("--unheard=espeak=1", "'espeak' is none of flite, kokoro"),
        ("--scenes=-1", "greater than or equal to 0"),
        ("--workers=0", "greater than or equal to 1"),
    ],
)
def test_options_that_cannot_be_are_refused(packages: Path, tmp_path: Path, option: str, reason: str) -> None:
    result = run(packages, tmp_path / "scenes", option)

    assert result.exit_code == 2
    assert reason in " ".join(result.output.split())
    assert not (tmp_path / "scenes").exists()


def test_packages_that_are_not_there_are_told(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere", tmp_path / "scenes", "--scenes", 1, "--voice", "espeak=1")

    assert result.exit_code == 1
    assert "fetch the packages first" in result.output


def test_a_folder_that_cannot_be_made_is_told(packages: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    result = run(packages, tmp_path / "file" / "scenes", "--scenes", 1)

    assert result.exit_code == 1
    assert result.output == f"Error: {tmp_path / 'file' / 'scenes'} cannot be written: Not a directory\n"
