"""Losses over three drawings, one for each phrase, and over the words of phrases, as an untrained CLIP has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from models.clip import Tokenizer, build_clip
from tests.training.tiny_recipe import tiny_recipe
from training.nano.keyword_loss import KeywordLoss
from training.nano.pairs import PairLoss, drawing_pairs
from training.published.vocabulary import count_subwords, in_order


def tiny_pairs(phrases: Sequence[str]) -> PairLoss:
    clip = _clip()
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    loss = drawing_pairs(clip, [(pixels, np.arange(3))], phrases, {phrase: (n,) for n, phrase in enumerate(phrases)})
    # An untrained CLIP sees all drawings as one.
    loss.vectors = torch.eye(3, 8)
    return loss


def tiny_keywords(phrases: Sequence[str]) -> KeywordLoss:
    tokens = Tokenizer.of(tiny_recipe().model.clip.text)
    return KeywordLoss(_clip(), phrases, in_order(count_subwords(phrases, tokens), tokens), tokens)


def _clip() -> nn.Module:
    torch.manual_seed(1)
    recipe = tiny_recipe()
    return build_clip(recipe.model.clip, recipe.model.embedding_size).requires_grad_(False)
