"""`speechclip train`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.folder import find_model
from tests.patience import WAIT_S
from tests.training.published.tiny_training import tiny_start, write_corpus
from training.cli import app


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    here = tmp_path_factory.mktemp("here")
    write_corpus(here / "corpus")
    tiny_start(here / "start")
    return here


def run(here: Path, recipe: str, *arguments: str, out: str = "out") -> Result:
    fixed = ["train", recipe, "--data", "manifest", "--root", str(here / "corpus"), "--out", str(here / out)]
    return CliRunner().invoke(app, [*fixed, *arguments], catch_exceptions=False)


def small(here: Path) -> list[str]:
    """Settings that make a published recipe one of seconds."""
    return [
        f"start={here / 'start'}",
        "precision=32-true",
        "model.parallel.heads=2",
        "data.batch=4",
        "data.workers=0",
        "optimiser.steps=3",
        "optimiser.warmup=1",
    ]


def test_a_recipe_becomes_a_model(here: Path) -> None:
    result = run(here, "parallel-base-flickr", *small(here))

    assert result.exit_code == 0, result.stderr
    assert "Epoch 1 of 1" in result.stdout
    assert result.stdout.splitlines()[-1] == f"The model is {here / 'out' / 'model'}."
    assert find_model(str(here / "out" / "model")).config.name == "parallel-base-flickr"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["data.batch=0"], "data.batch: "),
        (["data.batch=100"], "13 pairs to train with"),
        (["start=nowhere"], "no model 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(here: Path, arguments: list[str], told: str) -> None:
    result = run(here, "parallel-base-flickr", *small(here), *arguments, out="refused")

    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert told in result.stderr
    assert not (here / "refused").exists()


def test_a_recipe_that_is_not_there_is_told(here: Path) -> None:
    assert "there are cascaded-base-flickr, " in run(here, "parallel-huge-flickr").stderr


def test_help_needs_neither_torch_nor_lightning() -> None:
    code = "import sys, training.published.command; print([n for n in ('torch', 'lightning') if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=WAIT_S)

    assert found.stdout == "[]\n"
