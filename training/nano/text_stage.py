"""Stage 2: CLIP's text tower goes on alone, against all drawings; the image tower, and with it the space, stays.

A small CLIP sees few pairs in a batch, and its texts come to lie apart from its images. Speech learns from images
only: what keeps texts from images keeps them from speech.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.clip import Tokenizer, unit
from training.nano.optimiser import Optimiser, autocast
from training.nano.pairs import PairLoss
from training.nano.recipe import Recipe
from training.nano.steps import Losses, StageRun

SAVE_EVERY = 100
SCALE = 30.0
"""What similarities are multiplied by."""

IMAGE_TOWER = "visual"


def train_text(recipe: Recipe, work: Path, clip: nn.Module, phrases: Sequence[str], pairs: PairLoss) -> nn.Module:
    """Train, or go on from the last checkpoint; returns `clip` (from stage 1) with its better text tower.

    pairs: of `phrases` and all training drawings.
    """
    torch.manual_seed(recipe.seed)
    text_tower = [module for name, module in clip.named_children() if name != IMAGE_TOWER]
    own: list[nn.Parameter] = [clip.positional_embedding, clip.text_projection]  # type: ignore[list-item]
    for parameter in (*own, *(parameter for module in text_tower for parameter in module.parameters())):
        parameter.requires_grad_(True)
    tokens = Tokenizer.of(recipe.model.clip.text)(phrases)
    optimiser = Optimiser(text_tower, recipe.read, own)

    def losses(number: int) -> Losses:
        rng = np.random.default_rng((recipe.seed, number))
        chosen = torch.from_numpy(rng.integers(0, len(phrases), recipe.read.batch))
        with autocast():
            vectors = unit(clip.encode_text(tokens[chosen]))  # type: ignore[operator]
            return {"pairs": pairs(vectors, torch.tensor(SCALE), chosen, rng)}

    StageRun(work / "read.pt", clip, optimiser).train(losses, SAVE_EVERY)
    return clip.eval().requires_grad_(False)
