"""A tower of CLIP: its transformer layers, for images and for texts."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.packed.linear import Activation, PackedLinear

_QUICK = 1.702
"""CLIP's quick GELU is x * sigmoid(1.702 x): SiLU of 1.702 x, over 1.702."""


class PackedTower(nn.Module):
    """In the place of open_clip's `Transformer`: (B, L, D) -> (B, L, D). Packed at its first call: it may have none."""

    def __init__(self, transformer: Any, kind: torch.dtype) -> None:
        super().__init__()
        self._source, self._kind = [transformer], kind  # in a list: its weights are no part of this module
        self._blocks: list[_Block] = []
        self._packing = Lock()

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """attn_mask: (L, L), added to the scores."""
        for block in self._packed():
            x = block(x, attn_mask)
        return x

    def _packed(self) -> Sequence[_Block]:
        """The layers, for any number of threads; whoever comes first packs them, and the others wait."""
        with self._packing:
            for transformer in self._source:
                self._blocks = [_Block(block, self._kind) for block in transformer.resblocks]
            self._source.clear()
            return self._blocks


class _Block:
    def __init__(self, block: Any, kind: torch.dtype) -> None:
        attention, feed = block.attn, block.mlp
        self._heads = attention.num_heads
        self._ask = PackedLinear(attention.in_proj_weight, attention.in_proj_bias, kind)
        self._answer = PackedLinear(attention.out_proj.weight, attention.out_proj.bias, kind)
        quick = not isinstance(feed.gelu, nn.GELU)
        scale, activation = (_QUICK, Activation.SILU) if quick else (1.0, Activation.GELU)
        self._widen = PackedLinear(feed.c_fc.weight * scale, feed.c_fc.bias * scale, kind, activation)
        self._narrow = PackedLinear(feed.c_proj.weight / scale, feed.c_proj.bias, kind)
        self._before, self._after = block.ln_1, block.ln_2

    def __call__(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self._attend(self._before(x), mask)
        return x + self._narrow(self._widen(self._after(x)))

    def _attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, _ = x.shape
        query, key, value = self._ask(x).view(batch, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        added = None if mask is None else mask.to(query.dtype)
        seen = F.scaled_dot_product_attention(query, key, value, added)
        return self._answer(seen.transpose(1, 2).flatten(2))
