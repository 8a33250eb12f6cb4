"""A keyword becomes the sub-word it is nearest to (spec section 3.9, steps 3 to 5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from models.clip import unit

SPECIAL = (0, 2, 3)
"""Rows of every published vocabulary that are no sub-words: the padding, the start and the end of a text."""


@dataclass(frozen=True)
class Subwords:
    """What keywords are chosen from. rows: (V, E) as CLIP embeds them; directions: (V, E), the same at unit length."""

    rows: Tensor
    directions: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> Subwords:
        return cls(rows, unit(rows))


def cosines(keywords: Tensor, table: Tensor) -> Tensor:
    """(B, K, E) against (V, E) -> (B, K, V)."""
    return unit(keywords) @ unit(table).T


def candidates(scores: Tensor) -> Tensor:
    """(..., V) scores, minus infinity where no sub-word is."""
    return scores.index_fill(-1, torch.tensor(SPECIAL, device=scores.device), -torch.inf)


def quantize(scores: Tensor, table: Tensor, temperature: float, training: bool) -> tuple[Tensor, Tensor]:
    """Keywords with (B, K, V) scores -> rows of `table`, (B, K, E), and which ones, (B, K).

    In training the gradient is that of a softmax at `temperature` over the scores.
    """
    scores = candidates(scores)
    targets = scores.argmax(-1)
    if not training:
        return table[targets], targets
    return choice(scores, targets, temperature) @ table, targets


def choice(scores: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """(B, K, V): one-hot, with the gradient of a softmax (straight-through)."""
    hard = F.one_hot(targets, scores.shape[-1]).to(scores.dtype)
    soft = (scores / temperature).softmax(-1)
    return hard + soft - soft.detach()


@dataclass(frozen=True)
class Statistics:
    """How varied a batch's sub-words are.

    code_perplexity: of those chosen; prob_perplexity: of the softmax over all; entropy: of that softmax in each slot,
    (K,), averaged over the batch.
    """

    code_perplexity: Tensor
    prob_perplexity: Tensor
    entropy: Tensor

    @classmethod
    def of(cls, scores: Tensor) -> Statistics:
        """scores: (B, K, V)."""
        scores = candidates(scores)
        soft = scores.softmax(-1)
        hard = F.one_hot(scores.argmax(-1), scores.shape[-1]).to(scores.dtype)
        code, prob = (_entropy(choices.mean((0, 1))).exp() for choices in (hard, soft))
        return cls(code, prob, _entropy(soft).mean(0))


def _entropy(probabilities: Tensor) -> Tensor:
    return -(probabilities * (probabilities + 1e-7).log()).sum(-1)
