"""Stage 1: CLIP learns drawings and phrases."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize

from models.clip import ImagePreprocessor
from tests.training.tiny_recipe import tiny_recipe
from training.nano import clip_stage
from training.nano.clip_stage import to_pixels, train_clip
from training.nano.drawings import SIZE
from training.nano.lexicon import Lexicon
from training.nano.optimiser import Optimiser


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


class Recited(nn.Module):
    """A CLIP that pays no attention: drawing n and phrase n of a batch have these vectors."""

    def __init__(self, images: Tensor, texts: Tensor) -> None:
        super().__init__()
        self.images, self.texts = images, texts
        self.logit_scale = nn.Parameter(torch.tensor(1.5))

    def encode_image(self, _pixels: Tensor) -> Tensor:
        return self.images

    def encode_text(self, _tokens: Tensor) -> Tensor:
        return self.texts


@pytest.mark.parametrize("seed", range(3))
def test_drawings_that_a_phrase_names_too_are_no_negatives_of_it(
    seed: int, packages: Path, lexicon: Lexicon, tmp_path: Path
) -> None:
    size = 16
    images, texts = normalize(torch.randn(2, size, 8, generator=torch.Generator().manual_seed(seed)), dim=2)
    data = clip_stage._Drawings(packages, tmp_path, lexicon, tiny_recipe())
    loss = clip_stage._loss(Recited(images, texts), data, np.random.default_rng(seed), size)

    rng = np.random.default_rng(seed)
    shown = data.positions[rng.integers(0, len(data.pixels), size)].tolist()
    said = [clip_stage._phrase(lexicon.emoji[position].phrases, rng) for position in shown]
    similar = (math.exp(1.5) * texts @ images.T).exp().tolist()
    expected = 0.0
    for n in range(size):
        drawings = [m for m in range(size) if m == n or shown[m] not in lexicon.members[said[n]]]
        phrases = [m for m in range(size) if m == n or shown[n] not in lexicon.members[said[m]]]
        expected -= math.log(similar[n][n] / sum(similar[n][m] for m in drawings))
        expected -= math.log(similar[n][n] / sum(similar[m][n] for m in phrases))
    assert loss.item() == pytest.approx(expected / size / 2, rel=1e-4)


def test_a_name_is_said_nearly_as_often_as_the_keywords_together() -> None:
    rng = np.random.default_rng(0)
    said = [clip_stage._phrase(("name", "one", "two"), rng) for _ in range(2_000)]

    assert said.count("name") / 2_000 == pytest.approx(0.4, abs=0.04)
    assert said.count("one") / 2_000 == pytest.approx(0.3, abs=0.04)
    assert clip_stage._phrase(("only",), rng) == "only"


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
