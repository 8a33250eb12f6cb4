"""A pair loss over three drawings, one for each phrase."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from models.clip import build_clip
from tests.training.tiny_recipe import tiny_recipe
from training.nano.pairs import PairLoss, drawing_pairs


def tiny_pairs(phrases: Sequence[str]) -> PairLoss:
    torch.manual_seed(1)
    recipe = tiny_recipe()
    clip = build_clip(recipe.model.clip, recipe.model.embedding_size).requires_grad_(False)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    loss = drawing_pairs(clip, [(pixels, np.arange(3))], phrases, {phrase: (n,) for n, phrase in enumerate(phrases)})
    # An untrained CLIP sees all drawings as one.
    loss.vectors = torch.eye(3, 8)
    return loss
