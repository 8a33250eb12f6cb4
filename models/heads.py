"""The branches that turn HuBERT's frames into vectors of CLIP's space."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class ParallelBranch(nn.Module):
    """[CLS; frames] -> one post-LN transformer layer -> CLS -> linear (spec sections 3.6 and 3.7).

    Keys are those of the official checkpoints below `parallel_branch.`.
    """

    def __init__(self, hidden_size: int, heads: int, ffn_size: int, embedding_size: int) -> None:
        super().__init__()
        self.cls = nn.Parameter(torch.randn(1, 1, hidden_size) * hidden_size**-0.5)
        self.self_att = TransformerHead(hidden_size, heads, ffn_size)
        self.linear_proj = nn.Linear(hidden_size, embedding_size)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) frames of which `lengths` (B,) are real -> (B, E), not yet of unit length."""
        x = torch.cat([self.cls.expand(len(features), -1, -1).to(features.dtype), features], dim=1)
        cls = self.self_att(x, padding_mask(x.shape[1], lengths + 1), queries=1)
        projected: Tensor = self.linear_proj(cls[:, 0])
        return projected


class TransformerHead(nn.Module):
    """One post-LN encoder layer, exact GELU, and a final layer norm.

    As there is one layer only, nothing is computed for positions whose output nobody reads.
    """

    def __init__(self, hidden_size: int, heads: int, ffn_size: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            hidden_size, heads, ffn_size, dropout=0.0, activation="gelu", batch_first=True
        )
        self.model = nn.TransformerEncoder(layer, 1, norm=nn.LayerNorm(hidden_size), enable_nested_tensor=False)

    def forward(self, x: Tensor, padding: Tensor, queries: int) -> Tensor:
        """(B, T, D), True in `padding` (B, T) where there is nothing -> the first `queries` positions."""
        model: Any = self.model
        layer = model.layers[0]
        first = x[:, :queries]
        attended, _ = layer.self_attn(first, x, x, key_padding_mask=padding, need_weights=False)
        first = layer.norm1(first + attended)
        first = layer.norm2(first + layer.linear2(layer.activation(layer.linear1(first))))
        out: Tensor = model.norm(first)
        return out


def padding_mask(size: int, lengths: Tensor) -> Tensor:
    """(B, size), True beyond an utterance's end."""
    return torch.arange(size, device=lengths.device) >= lengths[:, None]
