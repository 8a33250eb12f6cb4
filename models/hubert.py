"""HuBERT, driven layer by layer so that padding is exact (spec sections 3.2, 3.4 and 3.5).

Two batch semantics:

- `independent`: every utterance gets the hidden states it would get alone. The frames that padding makes are masked
  everywhere, and the group normalisation of HuBERT base sees real frames only.
- `official`: the rule of fairseq, which the published evaluation used: a frame is padding only where *all* samples of
  its chunk are, and normalisation sees the padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import compat
from models.config import AudioConfig

compat.prepare()

from transformers import HubertConfig, HubertModel  # noqa: E402  the line above makes it importable

BatchSemantics = Literal["independent", "official"]


@dataclass(frozen=True)
class Frames:
    """What the audio encoder makes of a batch.

    hidden_states: layers + 1 tensors (B, T, D); features: their weighted sum (B, T, D); lengths: valid frames (B,).
    """

    hidden_states: Sequence[Tensor]
    features: Tensor
    lengths: Tensor


class AudioEncoder(nn.Module):
    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        self.config = config
        self.hubert = HubertModel(_hubert_config(config))
        self.layer_weights = nn.Parameter(torch.zeros(config.layers + 1))

    def forward(self, waves: Tensor, lengths: Tensor, semantics: BatchSemantics = "independent") -> Frames:
        """waves: (B, N) float32, zero padded; lengths: (B,) samples."""
        if self.config.normalize_waveform:
            waves = _normalize_waveforms(waves, lengths)
        counts = self._conv_counts(lengths)
        x = self._convolve(waves, counts if semantics == "independent" else None)
        if semantics == "independent":
            valid, frame_lengths = torch.arange(x.shape[1], device=x.device) < counts[-1][:, None], counts[-1]
        else:
            valid = official_frame_mask(lengths, waves.shape[1], x.shape[1])
            frame_lengths = official_frame_lengths(lengths, x.shape[1], self.config.frame_stride)
        hidden_states = self._transform(x, valid)
        return Frames(hidden_states, self.mix(hidden_states), frame_lengths)

    def mix(self, hidden_states: Sequence[Tensor]) -> Tensor:
        """The softmax-weighted sum of layers, each normalised first where the configuration says so."""
        weights = self.layer_weights.softmax(0)
        size = (self.config.hidden_size,)
        normalize = self.config.normalize_hidden_states
        mixed = torch.zeros_like(hidden_states[0])
        for weight, hidden in zip(weights, hidden_states, strict=True):
            mixed = mixed + weight * (F.layer_norm(hidden, size) if normalize else hidden)
        return mixed

    def _conv_counts(self, lengths: Tensor) -> list[Tensor]:
        counts, count = [], lengths
        for kernel, stride in zip(self.config.conv_kernel, self.config.conv_stride, strict=True):
            count = torch.div(count - kernel, stride, rounding_mode="floor").clamp(min=-1) + 1
            counts.append(count)
        return counts

    def _convolve(self, waves: Tensor, counts: Sequence[Tensor] | None) -> Tensor:
        """(B, N) -> (B, T, C). With `counts`, group normalisation ignores the frames beyond an utterance's end."""
        x = waves[:, None]
        layer: Any
        for position, layer in enumerate(self.hubert.feature_extractor.conv_layers):
            if counts is not None and self.config.conv_norm == "group" and position == 0:
                x = layer.conv(x)
                x = _masked_group_norm(x, counts[0], layer.layer_norm)
                x = layer.activation(x)
            else:
                x = layer(x)
        return x.transpose(1, 2)

    def _transform(self, x: Tensor, valid: Tensor) -> list[Tensor]:
        encoder = self.hubert.encoder
        # Autocast projects to its own precision, in which a network without norms between its layers would then add up.
        x = self.hubert.feature_projection(x).to(encoder.layer_norm.weight.dtype)
        mask = None
        if not bool(valid.all()):
            x = x.masked_fill(~valid[..., None], 0.0)
            mask = torch.zeros_like(valid, dtype=x.dtype).masked_fill(~valid, torch.finfo(x.dtype).min)[:, None, None]
        x = x + encoder.pos_conv_embed(x)
        if not self.config.pre_norm:
            x = encoder.layer_norm(x)
        hidden_states = [x]
        for layer in encoder.layers:
            x = layer(x, attention_mask=mask)
            hidden_states.append(x)
        return hidden_states


def official_frame_mask(lengths: Tensor, samples: int, frames: int) -> Tensor:
    """(B, frames), True where any sample of a frame's chunk is real. Chunks are equal; samples left over are cut."""
    usable = samples - samples % frames
    padding = torch.arange(usable, device=lengths.device) >= lengths[:, None]
    return ~padding.view(len(lengths), frames, -1).all(-1)


def official_frame_lengths(lengths: Tensor, frames: int, stride: int) -> Tensor:
    """(B,) frames that the head sees: the samples in strides, rounded half to even."""
    return torch.round(lengths.double() / stride).long().clamp(max=frames)


def _hubert_config(config: AudioConfig) -> HubertConfig:
    return HubertConfig(
        hidden_size=config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.ffn_size,
        conv_dim=list(config.conv_dim),
        conv_kernel=list(config.conv_kernel),
        conv_stride=list(config.conv_stride),
        conv_bias=config.conv_bias,
        feat_extract_norm=config.conv_norm,
        do_stable_layer_norm=config.pre_norm,
        num_conv_pos_embeddings=config.position_kernel,
        num_conv_pos_embedding_groups=config.position_groups,
        feat_proj_dropout=0.0,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
    )


def _normalize_waveforms(waves: Tensor, lengths: Tensor) -> Tensor:
    """Zero mean and unit variance over the real samples of each utterance; the padding stays zero."""
    real = torch.arange(waves.shape[1], device=waves.device) < lengths[:, None]
    count = lengths[:, None].to(waves.dtype)
    centred = (waves - waves.masked_fill(~real, 0.0).sum(1, keepdim=True) / count).masked_fill(~real, 0.0)
    variance = centred.square().sum(1, keepdim=True) / count
    return centred / torch.sqrt(variance + 1e-5)


def _masked_group_norm(x: Tensor, counts: Tensor, norm: nn.GroupNorm) -> Tensor:
    """One group per channel over the first `counts[b]` frames. x: (B, C, T)."""
    real = (torch.arange(x.shape[2], device=x.device) < counts[:, None])[:, None]
    count = counts[:, None, None].to(x.dtype)
    centred = (x - x.masked_fill(~real, 0.0).sum(2, keepdim=True) / count).masked_fill(~real, 0.0)
    scale = torch.rsqrt(centred.square().sum(2, keepdim=True) / count + norm.eps)
    return centred * scale * norm.weight[:, None] + norm.bias[:, None]
