"""Linear layers whose weights lie as the processor's matrix units want them."""

from __future__ import annotations

from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

from models.packed.support import can_pack


class Activation(Enum):
    """By oneDNN's name and the rest of what it is told."""

    NONE = ("none", (), "")
    GELU = ("gelu", (), "none")
    SILU = ("swish", (), "")

    def __call__(self, x: Tensor) -> Tensor:
        if self is Activation.NONE:
            return x
        return F.gelu(x) if self is Activation.GELU else F.silu(x)


class PackedLinear:
    """(..., in) -> (..., out) in `kind`, float32 or bfloat16; an activation (GELU is the exact one) on the way.

    oneDNN otherwise arranges the weights anew in every call, and for float32 PyTorch asks MKL, which is at half its
    speed on processors that are not Intel's.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, kind: torch.dtype, activation: Activation = Activation.NONE
    ) -> None:
        self.kind, self._activation = kind, activation
        self._bias = None if bias is None else bias.detach().to(kind)
        self._weight = weight.detach().to(kind).contiguous()
        self._packed = can_pack()
        if self._packed:
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight, None)

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self.kind)
        if not self._packed:
            return self._activation(F.linear(x, self._weight, self._bias))
        found: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, *self._activation.value)
        return found


def windows(x: Tensor, kernel: int, stride: int) -> Tensor:
    """(T, C), its rows contiguous -> a view (T', kernel * C) of it: what a convolution sees at each of its steps."""
    channels = x.shape[1]
    return x.as_strided(((len(x) - kernel) // stride + 1, kernel * channels), (stride * channels, 1))
