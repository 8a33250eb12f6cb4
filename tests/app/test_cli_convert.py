"""`speechclip models convert`, on a tiny checkpoint in the authors' layout."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from models.config import ModelConfig
from models.folder import find_model
from tests.app.cli_runner import Speechclip
from tests.fake_encoder import FakeEncoder
from tests.official_checkpoint import official_content, write_official
from tests.tiny_model import tiny_config, tiny_speechclip


@pytest.fixture
def speechclip(tmp_path: Path, encoder: FakeEncoder) -> Speechclip:
    return Speechclip(tmp_path / "data", encoder)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With heads as wide as in the published models, as nothing in a checkpoint tells how many there are."""
    config = tiny_config().model_dump()
    config["audio"] |= {"hidden_size": 64, "heads": 1}
    config["clip"]["text"] |= {"width": 64, "heads": 1}
    config["clip"]["vision"] |= {"width": 64, "head_width": 64}
    model = tiny_speechclip(ModelConfig.model_validate(config))
    return write_official(tmp_path_factory.mktemp("official") / "epoch_1.ckpt", official_content(model, [0, 320, 612]))


def test_a_checkpoint_becomes_a_model(speechclip: Speechclip, checkpoint: Path, tmp_path: Path) -> None:
    facts = speechclip.json("models", "convert", checkpoint, tmp_path / "mine", "--name", "my model")

    folder = find_model(str(tmp_path / "mine"))
    assert (folder.config.name, folder.config.branch) == ("my model", "parallel")
    assert facts == {
        "name": "my model",
        "path": str(tmp_path / "mine"),
        "fingerprint": folder.fingerprint,
        "dim": 8,
        "branch": "parallel",
        "search_branch": "parallel",
        "bytes": (tmp_path / "mine" / "model.safetensors").stat().st_size,
    }
    described = speechclip.json("models", "info", tmp_path / "mine")
    assert described["licence"].startswith("Not stated")
    assert "# my model" in described["card"]


def test_the_answer_is_the_folder(speechclip: Speechclip, checkpoint: Path, tmp_path: Path) -> None:
    result = speechclip.run("models", "convert", checkpoint, tmp_path / "mine")

    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'mine'}\n")
    assert result.stderr == f"mine is a parallel model: it can be chosen as --model {tmp_path / 'mine'}.\n"
    assert json.loads((tmp_path / "mine" / "config.json").read_bytes())["name"] == "mine"


def test_what_cannot_be_done_is_one_sentence(speechclip: Speechclip, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "bad.ckpt").write_bytes(checkpoint.read_bytes()[:-100])

    assert "is there already" in speechclip.refused("models", "convert", checkpoint, tmp_path / "there")
    assert "no checkpoint" in speechclip.refused("models", "convert", tmp_path / "none.ckpt", tmp_path / "mine")
    assert "broke off" in speechclip.refused("models", "convert", tmp_path / "bad.ckpt", tmp_path / "mine")
    assert sorted(os.listdir(tmp_path)) == ["bad.ckpt", "there"]
    speechclip.refused("models", "convert", checkpoint, status=2)
