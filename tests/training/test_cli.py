"""`speechclip evaluate`, from a folder of files to tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models.errors import RegistryError
from models.folder import save_model
from tests.patience import WAIT_S
from tests.tiny_model import VOCABULARY, save_tiny_model, tiny_config, tiny_speechclip
from tests.training.evaluation.spoken_words import write_manifest
from training.cli import app

WORDS = ("dog", "cat", "dog", "apple", "cat", "guitar", "rocket")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest, and a hybrid model of random weights."""
    here = tmp_path_factory.mktemp("here")
    write_manifest(here / "words", WORDS)
    save_tiny_model(here / "model", branch="hybrid")
    return here


def run(here: Path, *arguments: object) -> Result:
    fixed = ["evaluate", "--dataset", "manifest", "--root", here / "words", "--work", here / "work"]
    return CliRunner().invoke(app, [str(argument) for argument in (*fixed, *arguments)], catch_exceptions=False)


def figures(here: Path, *arguments: object) -> Any:
    path = here / "figures.json"
    result = run(here, "--model", here / "model", "--json", path, *arguments)
    assert result.exit_code == 0, result.stderr
    return json.loads(path.read_text())


def test_everything_is_told(here: Path, tmp_path: Path) -> None:
    result = run(here, "--model", here / "model", "--report", tmp_path / "report")

    assert result.exit_code == 0, result.stderr
    for line in (
        "## tiny on manifest, test",
        "| speech → image | 7 | 5 |",
        "| image → speech | 5 | 7 |",
        "### Keywords",
    ):
        assert line in result.stdout
    assert "| all | 28 |" in result.stdout
    assert result.stderr == f"The report is {tmp_path / 'report' / 'report.html'}.\n"


def test_figures_are_json_too(here: Path) -> None:
    found = figures(here)

    assert found["model"]["branch"] == "parallel"
    assert (found["protocol"], found["latency"]["batch"]) == ("service", 16)
    counts = found["dataset"]
    assert (counts["utterances"], counts["images"], counts["texts"], counts["whole"]) == (7, 5, 5, True)
    tasks = [task for exchange in (found["speech_image"], *found["speech_text"]) for task in exchange["tasks"]]
    assert [(task["query"], task["target"], task["answers"]) for task in tasks] == [
        ("speech", "image", "image"),
        ("image", "speech", "image"),
        ("speech", "text", "image"),
        ("text", "speech", "image"),
        ("speech", "text", "own caption"),
        ("text", "speech", "own caption"),
    ]
    assert all(task["recall"]["10"]["percent"] == 100 for task in tasks)
    assert [slot["slot"] for slot in found["keywords"]["slots"]] == [0, 1, 2, 3]
    assert found["published"] is None


def test_the_authors_batches_are_another_protocol(here: Path) -> None:
    found, other = figures(here, "--protocol", "official"), figures(here, "--branch", "cascaded")

    assert (found["protocol"], found["latency"]["batch"]) == ("official", 6)
    assert (other["protocol"], other["model"]["branch"]) == ("service", "cascaded")


def test_the_same_comes_out_again(here: Path) -> None:
    assert figures(here) == figures(here)


def test_a_part_is_told_to_be_one(here: Path) -> None:
    found = figures(here, "--limit", 3, "--batch", 2)

    assert (found["dataset"]["utterances"], found["dataset"]["images"], found["dataset"]["whole"]) == (3, 2, False)
    assert found["latency"]["batch"] == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--split", "dev"], "there is no split 'dev'"),
        (["--dataset", "films"], "is no kind of corpus"),
        (["--root", "nowhere"], "there is no nowhere"),
        (["--url", "http://127.0.0.1:9"], "does not answer"),
        (["--url", "http://127.0.0.1:9", "--model", "nano"], "has its own model"),
        (["--url", "http://127.0.0.1:9", "--protocol", "official"], "its own way to make batches"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(here: Path, arguments: list[str], told: str) -> None:
    result = run(here, *arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert told in result.stderr


def test_where_nothing_can_be_written_is_told(here: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(here, "--model", here / "model", "--report", tmp_path / "file" / "report")

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_folder_of_work_that_cannot_be_written_is_told(here: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(here, "--model", here / "model", "--work", tmp_path / "file" / "work")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "cannot be written: Not a directory; --work names another folder" in result.stderr


ENTRY = """[[models]]
name = "acme/tiny"
repository = "acme/tiny"
file = "tiny.ckpt"
branch = "hybrid"
hubert = "tiny"
clip = "tiny"
trained_on = "manifest"
embedding_size = 8
hidden_size = 16
layers = 2
recall = { at = 10, percent = 81.5, source = "our own measurement" }
"""


def test_models_of_ones_own_are_published_too(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = tmp_path / "registry.toml"
    registry.write_text(ENTRY)
    config = tiny_config(branch="hybrid").model_copy(update={"name": "acme/tiny"})
    save_model(tiny_speechclip(config), tmp_path / "model", VOCABULARY, "")
    monkeypatch.setenv("SPEECHCLIP_REGISTRY", str(registry))
    found = figures(here, "--model", tmp_path / "model")

    assert found["published"]["percent"] == 81.5
    registry.write_text("[[models]]")
    with pytest.raises(RegistryError, match="is not valid"):
        run(here, "--root", "nowhere")


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    heavy = ("torch", "transformers", "numpy", "av", "PIL", "rich.console")
    code = f"import sys, training.cli; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=WAIT_S)

    assert found.stdout == "[]\n"
