"""Stage 3: CLIP goes on with scenes, both towers: what is in a picture, and how many, and where.

Single drawings and the texts that name them keep their places in the space, so that what was learned from them stays.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from torch import Tensor, nn

from models.clip import Tokenizer, unit
from training.losses import contrastive
from training.nano.clip_stage import to_pixels
from training.nano.drawings import SIZE
from training.nano.optimiser import Optimiser, autocast
from training.nano.pairs import Tower, embed_in_parts, towers
from training.nano.recipe import Recipe
from training.nano.steps import Losses, StageRun
from training.scenes.captions import captions
from training.scenes.shards import draw_scene, studio
from training.scenes.splits import TRAIN

SAVE_EVERY = 100
CAPTIONS = 5
ANCHORS = 64
"""Drawings, and phrases, that are looked at in each step for whether they stay."""

STAYING = 10.0
"""Weight of one minus the cosine to the old place."""

SCALE = 30.0
"""What similarities are multiplied by."""


@dataclass(frozen=True)
class Scenes:
    """pixels: (N, 64, 64, 3); captions: some for each."""

    pixels: NDArray[np.uint8]
    captions: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Staying:
    """Images (N, 3, 64, 64) or tokens (N, T), and the unit vectors (N, E) that they had."""

    inputs: Tensor
    vectors: Tensor

    def loss(self, tower: Tower, rng: np.random.Generator) -> Tensor:
        chosen = torch.from_numpy(rng.integers(0, len(self.inputs), ANCHORS))
        now = unit(tower(self.inputs[chosen])).float()
        return STAYING * (1 - (now * self.vectors[chosen]).sum(1)).mean()


def cached_scenes(packages: Path, work: Path, count: int, seed: int) -> Scenes:
    """The first scenes of the training split of a seed, drawn once and kept in `work`."""
    path = work / f"scenes-{seed}-{count}.npz"
    if not path.exists():
        drawn = [_drawn(packages, seed, number) for number in track(range(count), "drawing scenes")]
        partial_path = path.with_suffix(".partial.npz")
        np.savez_compressed(
            partial_path, pixels=np.stack([one for one, _ in drawn]), captions=[texts for _, texts in drawn]
        )
        partial_path.replace(path)
    with np.load(path) as data:
        return Scenes(data["pixels"], data["captions"].tolist())


def _drawn(packages: Path, seed: int, number: int) -> tuple[NDArray[np.uint8], list[str]]:
    drawn, painter = studio(packages, TRAIN.vendors)
    scene = draw_scene(drawn, TRAIN, seed, number)
    said = captions(scene, CAPTIONS, random.Random(f"{seed}/{number}"))
    small = painter.picture(scene).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return np.asarray(small), [caption.text for caption in said]


def train_scenes(
    recipe: Recipe, work: Path, clip: nn.Module, scenes: Scenes, drawings: NDArray[np.uint8], phrases: Sequence[str]
) -> nn.Module:
    """Train, or go on from the last checkpoint; returns `clip` (from stage 2), which now knows scenes."""
    torch.manual_seed(recipe.seed)
    tokens = Tokenizer.of(recipe.model.clip.text)
    staying = _staying(clip, to_pixels(drawings), tokens(phrases))
    clip.requires_grad_(True)
    optimiser = Optimiser([clip], recipe.scenes)

    def losses(number: int) -> Losses:
        rng = np.random.default_rng((recipe.seed, number))
        with autocast():
            moved = [one.loss(tower, rng) for tower, one in zip(towers(clip), staying, strict=True)]
            return {"pairs": _loss(clip, tokens, scenes, recipe.scenes.batch, rng), "staying": torch.stack(moved).sum()}

    StageRun(work / "scenes.pt", clip, optimiser).train(losses, SAVE_EVERY)
    return clip.eval().requires_grad_(False)


def _staying(clip: nn.Module, pixels: Tensor, tokens: Tensor) -> tuple[Staying, Staying]:
    images, texts = towers(clip)
    return Staying(pixels, embed_in_parts(images, pixels)), Staying(tokens, embed_in_parts(texts, tokens))


def _loss(clip: nn.Module, tokens: Tokenizer, scenes: Scenes, size: int, rng: np.random.Generator) -> Tensor:
    """Symmetric InfoNCE over scenes and one caption of each."""
    chosen = rng.choice(len(scenes.pixels), size, replace=False)
    texts = [scenes.captions[one][int(rng.integers(CAPTIONS))] for one in chosen]
    images = unit(clip.encode_image(to_pixels(scenes.pixels[chosen])))  # type: ignore[operator]
    words = unit(clip.encode_text(tokens(texts)))  # type: ignore[operator]
    with torch.autocast(images.device.type, enabled=False):
        logits = words.float() @ images.float().T * SCALE
        rows, everything = torch.arange(size), torch.ones(size, size, dtype=torch.bool)
        return (contrastive(logits, rows, everything) + contrastive(logits.T, rows, everything)) / 2
