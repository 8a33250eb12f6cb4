"""The model that is chosen."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from app.diagnosis import model
from app.settings import Settings
from models.published.shelf import SHIPPED
from tests.app.diagnosis.told import told


def test_the_model_is_read_and_not_loaded(settings: Settings) -> None:
    assert "nano, " in told(model.check_model(settings), "ok")


@pytest.mark.parametrize("damage", ["gone", "cut", "config", "absent", "not pulled"])
def test_a_model_that_cannot_be_used(settings: Settings, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(SHIPPED / "nano", folder)
    weights = folder / "model.safetensors"
    if damage == "gone":
        weights.unlink()
    elif damage == "cut":
        os.truncate(weights, 1_000_000)
    elif damage == "config":
        (folder / "config.json").write_text("{}")
    name = {"absent": str(tmp_path / "none"), "not pulled": "speechclip/parallel-base-flickr"}.get(damage, str(folder))
    findings = list(model.check_model(settings.model_copy(update={"model": name})))

    assert [one.level for one in findings] == ["fail"]
    assert findings[0].advice


def test_a_model_that_is_larger_than_the_memory(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "available_memory", lambda: 1000)

    assert "smaller model" in told(model.check_model(settings), "warn")
