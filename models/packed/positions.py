"""HuBERT's convolution that tells frames their places."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.packed.linear import Activation, PackedLinear, windows

_FRAMES = 256
"""Frames at one time: what they see of each other is written out, which for a whole utterance would be much."""


class PackedPositions:
    """(T, D) -> (T, D).

    conv: of `HubertModel.encoder.pos_conv_embed`; its weights are normalised here, once. Grouped convolutions of
    bfloat16 are a hundred times slower than others at some lengths, and every new length costs: so it is products.
    """

    def __init__(self, conv: Any, kind: torch.dtype) -> None:
        self._kernel: int = conv.kernel_size[0]
        weights, biases = (part.detach().chunk(conv.groups) for part in (conv.weight, conv.bias))
        self._groups = [
            PackedLinear(weight.transpose(1, 2).flatten(1), bias, kind, Activation.GELU)
            for weight, bias in zip(weights, biases, strict=True)
        ]

    def __call__(self, x: Tensor) -> Tensor:
        before = self._kernel // 2
        groups = x.view(len(x), len(self._groups), -1).transpose(0, 1)
        padded = F.pad(groups.to(self._groups[0].kind), (0, 0, before, self._kernel - 1 - before))
        return torch.cat([self._placed(padded, start) for start in range(0, len(x), _FRAMES)])

    def _placed(self, padded: Tensor, start: int) -> Tensor:
        """Of the frames from `start` on, with all groups side by side."""
        part = padded[:, start : start + _FRAMES + self._kernel - 1]
        return torch.cat(
            [group(windows(seen, self._kernel, 1)) for group, seen in zip(self._groups, part, strict=True)], dim=1
        )
