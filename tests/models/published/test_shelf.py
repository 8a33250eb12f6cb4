"""Which models are on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.published.shelf import FILES, find_pulled, find_shipped, pulled, shipped
from tests.models.forbidden import forbid

NAME = "somebody/tiny"


@pytest.fixture
def models(tiny_model: Path, tmp_path: Path) -> Path:
    """A folder of pulled models with one in it."""
    shutil.copytree(tiny_model, tmp_path / "models" / NAME)
    return tmp_path / "models"


def test_nano_ships() -> None:
    assert [one.name for one in shipped()] == ["nano"]
    assert find_shipped("nano") == next(shipped()).path
    assert find_shipped("somebody/tiny") is None


def test_a_pulled_model_is_found_by_its_name(models: Path) -> None:
    assert find_pulled(models, NAME) == models / NAME
    found = list(pulled(models))
    assert [(one.name, one.path) for one in found] == [(NAME, models / NAME)]
    assert found[0].bytes == sum(file.stat().st_size for file in (models / NAME).iterdir())
    assert found[0].config is not None
    assert found[0].config.embedding_size == 8
    assert found[0].card.startswith("# tiny")


@pytest.mark.parametrize(
    "name", ["somebody/other", "tiny", "", ".", f"../models/{NAME}", "a\0/b", "x" * 5000, "/", "a/b"]
)
def test_what_is_not_there_is_not_found(models: Path, name: str) -> None:
    assert find_pulled(models, name) is None


def test_an_absolute_path_is_no_name(models: Path) -> None:
    assert find_pulled(models, str(models / NAME)) is None


@pytest.mark.parametrize("file", FILES)
def test_an_incomplete_model_is_not_found(models: Path, file: str) -> None:
    (models / NAME / file).unlink()

    assert find_pulled(models, NAME) is None
    assert [one.config for one in pulled(models)] == ([] if file == "config.json" else [None])


def test_a_damaged_model_is_listed_without_its_configuration(models: Path) -> None:
    (models / NAME / "config.json").write_bytes(b"{")

    assert [one.config for one in pulled(models)] == [None]


@pytest.mark.parametrize(("file", "known"), [("README.md", True), ("config.json", False)])
def test_a_file_that_may_not_be_read_spoils_no_list(
    models: Path, monkeypatch: pytest.MonkeyPatch, file: str, known: bool
) -> None:
    shutil.copytree(models / NAME, models / "somebody" / "other")
    forbid(models / NAME / file, monkeypatch)
    other, spoilt = pulled(models)

    assert (other.name, other.config is not None, other.card != "") == ("somebody/other", True, True)
    assert (spoilt.name, spoilt.config is not None, spoilt.card != "") == (NAME, known, not known)


def test_a_pull_in_the_making_is_no_model(models: Path) -> None:
    shutil.move(models / NAME, models / ".pulling" / "tiny")

    assert list(pulled(models)) == []


def test_no_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert list(pulled(tmp_path / "none")) == []
