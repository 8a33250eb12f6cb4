"""Attention over HuBERT's frames, and the parallel branch: one vector of CLIP's space for a whole utterance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Head(nn.Module, ABC):
    """Self-attention over [learnt tokens; frames] (spec section 3.6). Frames have no order in it.

    As there is one layer only, nothing is computed for positions whose output nobody reads.
    """

    @property
    @abstractmethod
    def attention_layer(self) -> nn.MultiheadAttention:
        """Where positions look at each other."""

    @abstractmethod
    def forward(self, x: Tensor, padding: Tensor, queries: int) -> Tensor:
        """(B, T, D), True in `padding` (B, T) where there is nothing -> the first `queries` positions."""

    def attention(self, x: Tensor, padding: Tensor, queries: int) -> Tensor:
        """(B, heads, queries, T): how much each of the first `queries` positions looks at every other."""
        _, weights = self.attention_layer(
            x[:, :queries], x, x, key_padding_mask=padding, need_weights=True, average_attn_weights=False
        )
        found: Tensor = weights
        return found

    def _attend(self, x: Tensor, padding: Tensor, queries: int) -> Tensor:
        layer, few = self.attention_layer, x[:, :queries]
        if not self.training and 2 * queries * layer.num_heads <= layer.embed_dim:
            return few + attend_from_few(layer, few, x, padding)
        attended, _ = layer(few, x, x, key_padding_mask=padding, need_weights=False)
        summed: Tensor = few + attended
        return summed


class TransformerHead(Head):
    """One post-LN encoder layer, exact GELU, and a final layer norm (spec section 3.7)."""

    def __init__(self, hidden_size: int, heads: int, ffn_size: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            hidden_size, heads, ffn_size, dropout=0.0, activation="gelu", batch_first=True
        )
        self.model = nn.TransformerEncoder(layer, 1, norm=nn.LayerNorm(hidden_size), enable_nested_tensor=False)

    @property
    def attention_layer(self) -> nn.MultiheadAttention:
        layer: Any = self.model.layers[0]
        attention: nn.MultiheadAttention = layer.self_attn
        return attention

    def forward(self, x: Tensor, padding: Tensor, queries: int) -> Tensor:
        model: Any = self.model
        layer = model.layers[0]
        first = layer.norm1(self._attend(x, padding, queries))
        first = layer.norm2(first + layer.linear2(layer.activation(layer.linear1(first))))
        out: Tensor = model.norm(first)
        return out


class AttentionHead(Head):
    """Attention, the residual and a layer norm, without a feed-forward network (spec section 3.8)."""

    def __init__(self, hidden_size: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(hidden_size, heads, batch_first=True)
        self.norm = nn.LayerNorm(hidden_size)

    @property
    def attention_layer(self) -> nn.MultiheadAttention:
        return self.attend

    def forward(self, x: Tensor, padding: Tensor, queries: int) -> Tensor:
        out: Tensor = self.norm(self._attend(x, padding, queries))
        return out


def attend_from_few(layer: nn.MultiheadAttention, few: Tensor, many: Tensor, padding: Tensor) -> Tensor:
    """(B, n, D) positions look at (B, T, D) -> (B, n, D), as `layer` with `key_padding_mask`, for a small n.

    A score is query * (W key + b) = (query W) * key + query * b, of which the last is the same for every key; and a
    mean of values is the value of a mean. So nothing need be made of each of the T positions.
    """
    size, heads = layer.embed_dim, layer.num_heads
    weight: Any = layer.in_proj_weight
    bias: Any = layer.in_proj_bias
    query_weight, key_weight, value_weight = weight.view(3, size, size)
    asked = F.linear(few, query_weight, bias[:size]).view(*few.shape[:2], heads, -1).transpose(1, 2)
    looked_for = asked @ key_weight.view(heads, -1, size)  # (B, heads, n, D)
    scores = looked_for @ many[:, None].transpose(2, 3) * (size // heads) ** -0.5
    shares = scores.masked_fill(padding[:, None, None], -torch.inf).softmax(-1)
    values = (shares @ many[:, None]) @ value_weight.view(heads, -1, size).transpose(1, 2)
    answered: Tensor = layer.out_proj(values.transpose(1, 2).flatten(2) + bias[2 * size :])
    return answered


class ParallelBranch(nn.Module):
    """[CLS; frames] -> one transformer layer -> CLS -> linear (spec section 3.7).

    Keys are those of the official checkpoints below `parallel_branch.`.
    """

    def __init__(self, hidden_size: int, heads: int, ffn_size: int, embedding_size: int) -> None:
        super().__init__()
        self.cls = learnt_tokens(1, hidden_size)
        self.self_att = TransformerHead(hidden_size, heads, ffn_size)
        self.linear_proj = nn.Linear(hidden_size, embedding_size)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(B, T, D) frames of which `lengths` (B,) are real -> (B, E), not yet of unit length."""
        x, padding = prepend([self.cls], features, lengths)
        projected: Tensor = self.linear_proj(self.self_att(x, padding, queries=1)[:, 0])
        return projected


def learnt_tokens(count: int, size: int) -> nn.Parameter:
    """(1, count, size): positions that are not heard but learnt."""
    return nn.Parameter(torch.randn(1, count, size) * size**-0.5)


def prepend(tokens: Sequence[Tensor], features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """[tokens; frames] and its padding mask, for (1, n, D) tokens and (B, T, D) frames of which `lengths` are real."""
    rows = [token.expand(len(features), -1, -1).to(features.dtype) for token in tokens]
    x = torch.cat([*rows, features], dim=1)
    return x, padding_mask(x.shape[1], lengths + x.shape[1] - features.shape[1])


def projection(size: int, hidden: Sequence[int], out: int) -> nn.Module:
    """One linear layer, or a network with these hidden sizes."""
    return Mlp([size, *hidden, out]) if hidden else nn.Linear(size, out)


class Mlp(nn.Module):
    """Linear layers from each size to the next, with ReLU between them."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        out: Tensor = self.layers[-1](x)
        return out


def padding_mask(size: int, lengths: Tensor) -> Tensor:
    """(B, size), True beyond an utterance's end."""
    return torch.arange(size, device=lengths.device) >= lengths[:, None]
