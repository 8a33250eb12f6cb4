"""HuBERT's convolutions as matrix products over windows of one utterance, a few frames at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.config import AudioConfig
from models.packed.linear import Activation, PackedLinear, windows

_FRAMES = 150
"""Frames that are made at one time: what is between the convolutions then stays in the processor's caches."""


class PackedFront:
    """(N,) samples -> (T, C) frames.

    layers: those of `HubertModel.feature_extractor`
    """

    def __init__(self, config: AudioConfig, layers: Sequence[Any], kind: torch.dtype) -> None:
        self._config = config
        self._group_norm: nn.GroupNorm | None = layers[0].layer_norm if config.conv_norm == "group" else None
        self._norms = [layer.layer_norm if config.conv_norm == "layer" else None for layer in layers]
        first = layers[0].conv
        # Sound as it is needs all bits: its quiet parts are far below its loud ones.
        self._first_weight = first.weight.detach()[:, 0]
        kinds = [torch.float32, *[kind] * (len(layers) - 1)]
        self._layers = [
            _packed(layer.conv, kind, Activation.GELU if norm is None else Activation.NONE)
            for layer, kind, norm in zip(layers, kinds, self._norms, strict=True)
        ]

    def __call__(self, wave: Tensor) -> Tensor:
        layers = self._layers
        if self._group_norm is not None:
            wave = wave - wave.mean()  # which the normalisation would do, but after rounding
            layers = [self._normalising(wave, self._group_norm), *layers[1:]]
        return torch.cat([self._convolve(part, layers) for part in self._parts(wave)])

    def _parts(self, wave: Tensor) -> Iterator[Tensor]:
        """The samples of `_FRAMES` frames each; what belongs to two of them is in both."""
        count, stride = self._config.frame_count(len(wave)), self._config.frame_stride
        reach = self._config.frame_reach
        for start in range(0, count, _FRAMES):
            frames = min(_FRAMES, count - start)
            yield wave[start * stride : (start + frames - 1) * stride + reach]

    def _convolve(self, wave: Tensor, layers: Sequence[PackedLinear]) -> Tensor:
        x = wave[:, None]
        steps = zip(self._config.conv_kernel, self._config.conv_stride, strict=True)
        for layer, norm, (kernel, stride) in zip(layers, self._norms, steps, strict=True):
            x = layer(windows(x.to(layer.kind), kernel, stride))
            if norm is not None:
                x = F.gelu(norm(x.float()))
        return x

    def _normalising(self, wave: Tensor, norm: nn.GroupNorm) -> PackedLinear:
        """The first convolution with the group normalisation that follows it.

        The mean and the variance of a channel over time follow from those of the windows it sees, so the channels need
        not be made to be measured.
        """
        seen = windows(wave[:, None], self._config.conv_kernel[0], self._config.conv_stride[0]).double()
        mean = seen.mean(0)
        seen = seen - mean
        weight = self._first_weight.double()
        variance = ((weight @ (seen.T @ seen / len(seen))) * weight).sum(1)
        scale = norm.weight.double() * torch.rsqrt(variance.clamp(min=0.0) + norm.eps)
        weight = weight * scale[:, None]
        return PackedLinear(weight.float(), (norm.bias - weight @ mean).float(), torch.float32, Activation.GELU)


def _packed(conv: nn.Conv1d, kind: torch.dtype, activation: Activation) -> PackedLinear:
    return PackedLinear(conv.weight.transpose(1, 2).flatten(1), conv.bias, kind, activation)
