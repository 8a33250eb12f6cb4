"""HuBERT over one utterance at a time, of which only the weighted sum of the layers is kept."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from models.hubert import AudioEncoder
from models.packed.front import PackedFront
from models.packed.layer import PackedLayer
from models.packed.linear import PackedLinear
from models.packed.positions import PackedPositions


class PackedAudioEncoder:
    """An `AudioEncoder` for inference: one utterance has no padding, so nothing is masked.

    kind: of the numbers in matrix products, float32 or bfloat16
    """

    def __init__(self, encoder: AudioEncoder, kind: torch.dtype) -> None:
        hubert, config = encoder.hubert, encoder.config
        projection = hubert.feature_projection
        self._config = config
        self._front = PackedFront(config, list(hubert.feature_extractor.conv_layers), kind)
        self._norm = projection.layer_norm
        self._project = PackedLinear(projection.projection.weight, projection.projection.bias, kind)
        self._places = PackedPositions(hubert.encoder.pos_conv_embed.conv, kind)
        self._first_norm = None if config.pre_norm else hubert.encoder.layer_norm
        self._layers = [PackedLayer(layer, config.pre_norm, kind) for layer in hubert.encoder.layers]
        self._shares = encoder.layer_weights.detach().softmax(0)

    def __call__(self, wave: Tensor) -> Tensor:
        """(N,) float32 samples -> (T, D) float32, the weighted sum of all layers."""
        if self._config.normalize_waveform:
            wave = F.layer_norm(wave, wave.shape)
        x = self._project(self._norm(self._front(wave).float())).float()
        x = x + self._places(x)
        if self._first_norm is not None:
            x = self._first_norm(x)
        mixed = self._shares[0] * self._part(x)
        for share, layer in zip(self._shares[1:], self._layers, strict=True):
            x = layer(x)
            mixed.addcmul_(share, self._part(x))
        return mixed

    def _part(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[1:]) if self._config.normalize_hidden_states else x
