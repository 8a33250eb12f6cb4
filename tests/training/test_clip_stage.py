"""Stage 1: CLIP learns drawings and phrases."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from models.clip import ImagePreprocessor
from tests.training.tiny_recipe import tiny_recipe
from training import clip_stage
from training.clip_stage import to_pixels, train_clip
from training.drawings import SIZE
from training.lexicon import Lexicon
from training.optimiser import Optimiser


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """(number, loss) of every step that is made from here on."""
    made: list[tuple[int, float]] = []
    step = Optimiser.step

    def noted(self: Optimiser, loss: Tensor, number: int) -> float:
        made.append((number, loss.item()))
        return step(self, loss, number)

    monkeypatch.setattr(Optimiser, "step", noted)
    return made


def weights(clip: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in clip.parameters()])


def test_drawings_are_seen_in_training_as_they_will_be_served() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    served = ImagePreprocessor(tiny_recipe().model.clip.vision)([Image.fromarray(image) for image in images])

    torch.testing.assert_close(to_pixels(images), served, rtol=0, atol=1e-5)


def test_the_loss_falls(packages: Path, lexicon: Lexicon, tmp_path: Path, losses: list[tuple[int, float]]) -> None:
    clip = train_clip(tiny_recipe(40), packages, tmp_path, lexicon)
    values = [loss for _, loss in losses]

    assert [number for number, _ in losses] == list(range(40))
    assert np.mean(values[-5:]) < 0.7 * np.mean(values[:5])
    assert math.isfinite(values[-1])
    assert not clip.training


def test_the_same_recipe_gives_the_same_clip(packages: Path, lexicon: Lexicon, tmp_path: Path) -> None:
    one, two = (weights(train_clip(tiny_recipe(), packages, tmp_path / name, lexicon)) for name in ("one", "two"))

    assert torch.equal(one, two)


def test_a_finished_stage_is_not_done_again(
    packages: Path, lexicon: Lexicon, tmp_path: Path, losses: list[tuple[int, float]]
) -> None:
    done = train_clip(tiny_recipe(), packages, tmp_path, lexicon)
    again = train_clip(tiny_recipe(), packages, tmp_path, lexicon)

    assert len(losses) == 4
    assert torch.equal(weights(done), weights(again))


def test_an_interrupted_stage_goes_on_to_the_very_same_end(
    packages: Path, lexicon: Lexicon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: list[tuple[int, float]]
) -> None:
    monkeypatch.setattr(clip_stage, "SAVE_EVERY", 2)
    whole = train_clip(tiny_recipe(6), packages, tmp_path / "whole", lexicon)
    losses.clear()
    step = Optimiser.step

    def killed_at_5(self: Optimiser, loss: Tensor, number: int) -> float:
        if number == 5:
            raise KeyboardInterrupt
        return step(self, loss, number)

    with monkeypatch.context() as patch:
        patch.setattr(Optimiser, "step", killed_at_5)
        with pytest.raises(KeyboardInterrupt):
            train_clip(tiny_recipe(6), packages, tmp_path / "cut", lexicon)
    resumed = train_clip(tiny_recipe(6), packages, tmp_path / "cut", lexicon)

    assert [number for number, _ in losses] == [0, 1, 2, 3, 4, 4, 5]
    assert torch.equal(weights(whole), weights(resumed))
