"""Stage 3: CLIP comes to know scenes, and what stood alone stays where it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.clip import Tokenizer, build_clip, unit
from tests.training.scenes.scene_packages import write_scene_packages
from tests.training.tiny_recipe import tiny_recipe
from training.nano.clip_stage import to_pixels
from training.nano.scene_stage import CAPTIONS, Scenes, cached_scenes, train_scenes

pytestmark = pytest.mark.usefixtures("exact_arithmetic")

Pixels = NDArray[np.uint8]
PHRASES = ("dog", "cat", "frog")


@pytest.fixture(scope="module")
def scene_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene_packages(tmp_path_factory.mktemp("packages"))


@pytest.fixture
def scenes(scene_packages: Path, tmp_path: Path) -> Scenes:
    return cached_scenes(scene_packages, tmp_path, 24, seed=1)


@pytest.fixture
def drawings() -> Pixels:
    return np.random.default_rng(2).integers(0, 255, (3, 64, 64, 3), np.uint8)


def a_clip() -> nn.Module:
    recipe = tiny_recipe()
    torch.manual_seed(1)
    return build_clip(recipe.model.clip, recipe.model.embedding_size).eval().requires_grad_(False)


def tokens(texts: list[str]) -> Tensor:
    return Tokenizer.of(tiny_recipe().model.clip.text)(texts)


@torch.no_grad()
def to_own_scene(clip: nn.Module, scenes: Scenes) -> float:
    """How much nearer captions are to their scenes than to the others."""
    images = unit(clip.encode_image(to_pixels(scenes.pixels)))  # type: ignore[operator]
    texts = unit(clip.encode_text(tokens([said[0] for said in scenes.captions])))  # type: ignore[operator]
    cosines = texts @ images.T
    return float(cosines.diagonal().mean() - cosines.mean())


def test_scenes_are_drawn_once_and_are_the_same_for_the_same_seed(scene_packages: Path, tmp_path: Path) -> None:
    once = cached_scenes(scene_packages, tmp_path, 4, seed=1)
    again = cached_scenes(tmp_path / "nothing there", tmp_path, 4, seed=1)
    other = cached_scenes(scene_packages, tmp_path, 4, seed=2)

    assert once.pixels.shape == (4, 64, 64, 3)
    assert [len(said) for said in once.captions] == [CAPTIONS] * 4
    assert np.array_equal(once.pixels, again.pixels)
    assert once.captions == again.captions
    assert not np.array_equal(once.pixels, other.pixels)


def test_captions_come_nearer_to_their_scenes(scenes: Scenes, drawings: Pixels, tmp_path: Path) -> None:
    clip = a_clip()
    train_scenes(tiny_recipe(steps=150), tmp_path, clip, scenes, drawings, PHRASES)

    assert to_own_scene(clip, scenes) > to_own_scene(a_clip(), scenes) + 0.05
    assert not any(parameter.requires_grad for parameter in clip.parameters())


def test_what_stood_alone_stays(
    scenes: Scenes,
    drawings: Pixels,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def moved(weight: float) -> float:
        monkeypatch.setattr("training.nano.scene_stage.STAYING", weight)
        clip, before = a_clip(), a_clip()
        train_scenes(tiny_recipe(steps=20), tmp_path / str(weight), clip, scenes, drawings, PHRASES)
        with torch.no_grad():
            old, new = (unit(one.encode_text(tokens(list(PHRASES)))) for one in (before, clip))  # type: ignore[operator]
        return float(1 - (old * new).sum(1).mean())

    assert moved(100.0) < 0.5 * moved(0.0)


def test_it_goes_on_where_it_was(scenes: Scenes, drawings: Pixels, tmp_path: Path) -> None:
    whole, again = a_clip(), a_clip()
    train_scenes(tiny_recipe(), tmp_path, whole, scenes, drawings, PHRASES)
    train_scenes(tiny_recipe(), tmp_path, again, scenes, drawings, PHRASES)

    assert all(torch.equal(one, again.state_dict()[name]) for name, one in whole.state_dict().items())
