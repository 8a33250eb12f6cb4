"""One transformer layer of HuBERT, over one utterance."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.packed.linear import Activation, PackedLinear


class PackedLayer:
    """(T, D) float32 -> (T, D) float32. Products are in `kind`; what is added up and normalised is not rounded to it.

    layer: of `HubertModel.encoder`; pre_norm: whether it normalises what goes into its parts, or what comes out
    """

    def __init__(self, layer: Any, pre_norm: bool, kind: torch.dtype) -> None:
        attention, feed = layer.attention, layer.feed_forward
        self._heads, self._pre_norm = attention.num_heads, pre_norm
        sources = (attention.q_proj, attention.k_proj, attention.v_proj)
        self._ask = PackedLinear(
            torch.cat([part.weight for part in sources]), torch.cat([part.bias for part in sources]), kind
        )
        self._answer = PackedLinear(attention.out_proj.weight, attention.out_proj.bias, kind)
        self._widen = PackedLinear(feed.intermediate_dense.weight, feed.intermediate_dense.bias, kind, Activation.GELU)
        self._narrow = PackedLinear(feed.output_dense.weight, feed.output_dense.bias, kind)
        self._before, self._after = layer.layer_norm, layer.final_layer_norm

    def __call__(self, x: Tensor) -> Tensor:
        if self._pre_norm:
            x = x + self._attend(self._before(x))
            return x + self._feed(self._after(x))
        x = self._before(x + self._attend(x))
        found: Tensor = self._after(x + self._feed(x))
        return found

    def _attend(self, x: Tensor) -> Tensor:
        asked = self._ask(x).view(len(x), 3, self._heads, -1)
        query, key, value = asked.permute(1, 2, 0, 3)[:, None]
        seen = F.scaled_dot_product_attention(query, key, value)
        return self._answer(seen[0].transpose(0, 1).flatten(1))

    def _feed(self, x: Tensor) -> Tensor:
        return self._narrow(self._widen(x))
