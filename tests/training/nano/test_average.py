"""A model between two others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.encoder import load_encoder
from models.folder import find_model
from tests.tiny_model import CARD, save_tiny_model
from training.errors import NotReady
from training.nano.average import average


@pytest.fixture
def models(tmp_path: Path) -> tuple[str, str]:
    return str(save_tiny_model(tmp_path / "one", branch="hybrid+")), str(
        save_tiny_model(tmp_path / "other", seed=1, branch="hybrid+")
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_every_weight_is_between_those_of_both(models: tuple[str, str], tmp_path: Path, share: float) -> None:
    average(*models, share, tmp_path / "out")
    one, other, mixed = (find_model(path).load().state_dict() for path in (*models, str(tmp_path / "out")))

    for name, tensor in mixed.items():
        if tensor.is_floating_point():
            expected = (1 - share) * one[name] + share * other[name]
            torch.testing.assert_close(tensor, expected, rtol=1e-3, atol=1e-3)  # it is stored in half precision
    assert load_encoder(str(tmp_path / "out")).card == CARD


def test_models_that_are_not_built_alike_have_nothing_between_them(models: tuple[str, str], tmp_path: Path) -> None:
    parallel = save_tiny_model(tmp_path / "parallel")

    with pytest.raises(NotReady, match="not built alike"):
        average(models[0], str(parallel), 0.5, tmp_path / "out")
    assert not (tmp_path / "out").exists()
