"""Which model folder is meant by the model of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.chosen import chosen_model
from app.settings import Settings
from models.errors import ModelNotPulled
from tests.published_model import TINY, registry_toml
from tests.tiny_model import save_tiny_model

PUBLISHED = "speechclip/parallel-base-flickr"


def test_a_pulled_model_is_meant_by_its_name(tmp_path: Path) -> None:
    path = save_tiny_model(tmp_path / "models" / PUBLISHED)

    assert chosen_model(Settings(data=tmp_path, model=PUBLISHED)) == str(path)


def test_a_published_model_that_is_not_here_is_told_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ModelNotPulled, match=f"`speechclip models pull {PUBLISHED}` brings it"):
        chosen_model(Settings(data=tmp_path, model=PUBLISHED))


def test_so_is_one_of_a_registry_file(tmp_path: Path) -> None:
    registry = tmp_path / "registry.toml"
    registry.write_text(registry_toml(TINY))

    with pytest.raises(ModelNotPulled):
        chosen_model(Settings(data=tmp_path, model=TINY.name, registry=registry))
    assert chosen_model(Settings(data=tmp_path, model=TINY.name)) == TINY.name


@pytest.mark.parametrize("model", ["nano", "some/folder", "./here", "/there", "../a/b", "a\0/b", "x" * 5000, ""])
def test_everything_else_is_a_shipped_model_or_a_folder(tmp_path: Path, model: str) -> None:
    assert chosen_model(Settings(data=tmp_path, model=model)) == model


def test_a_folder_of_a_published_name_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / PUBLISHED).mkdir(parents=True)

    assert chosen_model(Settings(data=tmp_path / "data", model=PUBLISHED)) == PUBLISHED
