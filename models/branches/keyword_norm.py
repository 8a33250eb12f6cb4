"""Batch normalisation of keywords, which brings them to the scale of CLIP's sub-words (spec section 3.9, step 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class KeywordNorm(nn.Module):
    """Over a batch for every slot and dimension, or, with `slots` None, for every dimension alone."""

    def __init__(self, size: int, slots: int | None) -> None:
        super().__init__()
        self.slots = slots
        self.norm = nn.BatchNorm1d(size * (slots or 1))

    def forward(self, keywords: Tensor) -> Tensor:
        """(B, K, E) -> (B, K, E)."""
        by_dimension = keywords.transpose(1, 2)
        if self.slots is not None:  # a channel is dimension * slots + slot
            by_dimension = by_dimension.flatten(1)
        normed: Tensor = self.norm(by_dimension)
        return normed.view(len(keywords), keywords.shape[2], -1).transpose(1, 2)

    @torch.no_grad()
    def start_at(self, table: Tensor) -> None:
        """Before training: put out keywords with the mean and the deviation of each dimension of `table` (V, E)."""
        repeats = self.slots or 1
        self.norm.weight.copy_(table.std(0).repeat_interleave(repeats))
        self.norm.bias.copy_(table.mean(0).repeat_interleave(repeats))
