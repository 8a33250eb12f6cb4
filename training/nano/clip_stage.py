"""Stage 1: the small CLIP, trained on drawings and the phrases that name them, then frozen as CLIP is in the paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.clip import Tokenizer, build_clip, unit
from training.losses import contrastive
from training.nano.drawings import TRAINING, cached_vendor
from training.nano.lexicon import Lexicon
from training.nano.optimiser import Optimiser, autocast
from training.nano.recipe import Recipe
from training.nano.steps import Losses, StageRun

MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073))
DEVIATION = torch.tensor((0.26862954, 0.26130258, 0.27577711))
SAVE_EVERY = 100


def to_pixels(images: NDArray[np.uint8]) -> Tensor:
    """(N, H, W, 3) bytes -> (N, 3, H, W) float32 as CLIP wants them."""
    x = torch.from_numpy(images).float() / 255
    return ((x - MEAN) / DEVIATION).permute(0, 3, 1, 2).contiguous()


def train_clip(recipe: Recipe, packages: Path, work: Path, lexicon: Lexicon) -> nn.Module:
    """Train, or go on from the last checkpoint; returns the trained CLIP."""
    torch.manual_seed(recipe.seed)
    clip = build_clip(recipe.model.clip, recipe.model.embedding_size)
    optimiser = Optimiser([clip], recipe.clip)
    data = _Drawings(packages, work, lexicon, recipe)

    def losses(number: int) -> Losses:
        return {"pairs": _loss(clip, data, np.random.default_rng((recipe.seed, number)), recipe.clip.batch)}

    StageRun(work / "clip.pt", clip, optimiser).train(losses, SAVE_EVERY)
    return clip.eval()


class _Drawings:
    def __init__(self, packages: Path, work: Path, lexicon: Lexicon, recipe: Recipe) -> None:
        loaded = [cached_vendor(packages, work, vendor, lexicon) for vendor in TRAINING]
        self.pixels = np.concatenate([pixels for pixels, _ in loaded])
        self.positions = np.concatenate([positions for _, positions in loaded])
        self.phrases: Sequence[Sequence[str]] = [emoji.phrases for emoji in lexicon.emoji]
        self.members = lexicon.members
        self.tokens = Tokenizer.of(recipe.model.clip.text)


def _loss(clip: nn.Module, data: _Drawings, rng: np.random.Generator, size: int) -> Tensor:
    """Symmetric InfoNCE; pairs whose drawing is also named by the phrase are not negatives of each other."""
    chosen = rng.integers(0, len(data.pixels), size)
    positions = data.positions[chosen]
    texts = [_phrase(data.phrases[position], rng) for position in positions]
    named = np.stack([np.isin(positions, data.members[text]) for text in texts])
    with autocast():
        images = clip.encode_image(_shift(to_pixels(data.pixels[chosen]), rng))  # type: ignore[operator]
        words = clip.encode_text(data.tokens(texts))  # type: ignore[operator]
    logits = unit(words) @ unit(images).T * clip.logit_scale.exp().clamp(max=60)  # type: ignore[operator]
    diagonal = torch.eye(size, dtype=torch.bool)
    mask = ~torch.from_numpy(named) | diagonal
    rows = torch.arange(size)
    return (contrastive(logits, rows, mask) + contrastive(logits.T, rows, mask.T)) / 2


def _phrase(phrases: Sequence[str], rng: np.random.Generator) -> str:
    """The name four times in ten, else one of the keywords."""
    if len(phrases) == 1 or rng.random() < 0.4:
        return phrases[0]
    return phrases[int(rng.integers(1, len(phrases)))]


def _shift(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Small random zoom and shift, the same for the whole batch, with random brightness for each."""
    zoom = rng.uniform(0.85, 1.1)
    theta = torch.tensor([[[zoom, 0, rng.uniform(-0.08, 0.08)], [0, zoom, rng.uniform(-0.08, 0.08)]]])
    grid = F.affine_grid(theta.float().expand(len(pixels), -1, -1), list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(pixels), 1, 1, 1)).astype(np.float32))
    return moved * gain
