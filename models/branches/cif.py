"""Continuous integrate-and-fire: frames become as many keywords as there are (spec section 3.11).

Every frame has a weight. Weights are summed from the start of an utterance; whenever the sum passes a threshold, the
frames since the last time make a keyword, each with its weight, and the frame of the crossing belongs to both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.branches.heads import padding_mask
from models.config import CifConfig

_SURPLUS = 1e-5  # on top of a length that is aimed at, so that rounding does not lose the last keyword


@dataclass(frozen=True)
class Fired:
    """What a batch fired.

    quantity: (B,) sum of the frames' weights as they were found; alpha: (B, T) these weights, as they were integrated
    weights: (B, K, T) how much of each frame is in each keyword
    features: (B, K, D) keywords; rows beyond an utterance's own have no meaning
    counts: (B,) how many of them there are
    """

    quantity: Tensor
    alpha: Tensor
    weights: Tensor
    features: Tensor
    counts: Tensor


class Cif(nn.Module):
    """most: keywords that an utterance may have."""

    def __init__(self, size: int, config: CifConfig, most: int) -> None:
        super().__init__()
        self.config, self.most = config, most
        width = config.conv_width
        self.conv = nn.ModuleList(nn.Conv1d(size, size, width, padding=width // 2) for _ in range(config.conv_layers))
        self.weight_proj = nn.Linear(size, 1)

    def forward(
        self,
        features: Tensor,
        lengths: Tensor,
        independent: bool,
        targets: Tensor | None = None,
        scale: bool = True,
    ) -> Fired:
        """(B, T, D) frames of which `lengths` (B,) are real -> keywords.

        independent: convolutions see silence beyond an utterance's end, and not what was made of the padding
        targets: (B,) in training: how many keywords there should be; what is left at the end is then no keyword
        scale: with targets: make it as many
        """
        alpha = self.alpha(features, lengths, independent)
        quantity = alpha.sum(1)
        if targets is not None and scale:
            alpha = alpha * ((self.config.threshold * targets + _SURPLUS) / quantity)[:, None]
        weights, counts = self._whole(alpha)
        if targets is None and self.config.tail_threshold is not None:
            weights, counts = _with_tail(weights, counts, self.config.tail_threshold, self.most)
        weights = weights[:, : int(counts.max())]
        return Fired(quantity, alpha, weights, weights @ features.to(weights.dtype), counts)

    def alpha(self, features: Tensor, lengths: Tensor, independent: bool) -> Tensor:
        """(B, T) weights in [0, 1], 0 beyond an utterance's end."""
        padding = padding_mask(features.shape[1], lengths)
        x = features.transpose(1, 2)
        for layer in self.conv:
            x = F.relu(layer(x.masked_fill(padding[:, None], 0.0) if independent else x))
        weights: Tensor = self.weight_proj(x.transpose(1, 2)).sigmoid()[..., 0].float()
        return weights.masked_fill(padding, 0.0)

    def _whole(self, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K + 1, T) weights, in the last row what is left of the longest, and (B,) complete keywords."""
        # In double precision: a sum over minutes must not miss the threshold by its rounding.
        ends = alpha.double().cumsum(1)
        starts = F.pad(ends[:, :-1], (1, 0))
        counts = (ends[:, -1] / self.config.threshold).floor().long().clamp(1, self.most)
        edges = self.config.threshold * torch.arange(int(counts.max()) + 2, device=alpha.device, dtype=ends.dtype)
        edges[-1] = torch.inf
        upper = torch.minimum(ends[:, None], edges[None, 1:, None])
        lower = torch.maximum(starts[:, None], edges[None, :-1, None])
        return (upper - lower).clamp(min=0.0).to(alpha.dtype), counts


def _with_tail(weights: Tensor, counts: Tensor, threshold: float, most: int) -> tuple[Tensor, Tensor]:
    """What is left at the end becomes a keyword of full weight if it is enough; rows beyond are emptied."""
    rows = torch.arange(len(counts), device=counts.device)
    tail = weights[rows, counts].sum(1)
    enough = (tail >= threshold) & (counts < most)
    weights[rows, counts] *= torch.where(enough, 1 / tail, 1.0)[:, None]
    counts = counts + enough
    return weights.masked_fill(padding_mask(weights.shape[1], counts)[..., None], 0.0), counts
