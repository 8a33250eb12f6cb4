"""Linear layers whose weights lie as the processor's matrix units want them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.packed.support import can_pack


class PackedLinear:
    """(..., in) -> (..., out) in `kind`, float32 or bfloat16; with `gelu`, that (exact) is applied on the way.

    oneDNN otherwise arranges the weights anew in every call, and for float32 PyTorch asks MKL, which is at half its
    speed on processors that are not Intel's.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, kind: torch.dtype, gelu: bool = False) -> None:
        self.kind, self._gelu = kind, gelu
        self._bias = None if bias is None else bias.detach().to(kind)
        self._weight = weight.detach().to(kind).contiguous()
        self._packed = can_pack()
        if self._packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight, None)

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self.kind)
        if self._packed:
            how = ("gelu", [], "none") if self._gelu else ("none", [], "")
            packed: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, *how)
            return packed
        plain = F.linear(x, self._weight, self._bias)
        return F.gelu(plain) if self._gelu else plain


def windows(x: Tensor, kernel: int, stride: int) -> Tensor:
    """(T, C), its rows contiguous -> a view (T', kernel * C) of it: what a convolution sees at each of its steps."""
    channels = x.shape[1]
    return x.as_strided(((len(x) - kernel) // stride + 1, kernel * channels), (stride * channels, 1))
