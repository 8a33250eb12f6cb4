"""What a model does only while it is trained: forget by chance, and aim at a number of keywords.

Networks of `models` have none of it, as nothing but training needs it; it is hung onto them from outside, and takes
part in no state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.branches.cif import Cif
from models.branches.heads import Head, Mlp, TransformerHead
from models.speechclip import SpeechClip


def add_dropout(model: SpeechClip, rate: float, cif_rate: float) -> None:
    """Where the authors' networks have dropout (spec sections 2, 3.7 and 3.11), once for a model."""
    if model.config.cascaded is None:
        _in_head(model.parallel_branch.self_att, rate)
        return
    branch = model.cascaded_branch
    _in_head(branch.self_att, rate)
    for projection in (branch.keyword_proj, branch.parallel_proj):
        if isinstance(projection, Mlp):
            for layer in projection.layers[1:]:
                _before(layer, rate)
    if branch.cif is not None:
        for convolution in branch.cif.conv:
            _after(convolution, cif_rate)
        _before(branch.cif.weight_proj, cif_rate)


def add_hubert_dropout(model: SpeechClip, rate: float) -> None:
    """Where HuBERT base has dropout in training mode, once for a model (spec sections 3.2 and 7): after the projection,
    before the first layer, of attention weights, and of what attention and the feed-forward network add.
    """
    hubert: Any = model.audio_encoder.hubert
    hubert.feature_projection.dropout.p = rate
    _after(hubert.encoder.layer_norm, rate)
    for layer in hubert.encoder.layers:
        layer.attention.dropout = layer.dropout.p = layer.feed_forward.output_dropout.p = rate


def add_aim(cif: Cif, wanted: Callable[[Tensor], Tensor], is_scaled: Callable[[], bool]) -> None:
    """In training, `cif` is told how many keywords there should be, and to make it as many while `is_scaled`.

    wanted: (B,) frames -> (B,) keywords
    """

    def told(module: nn.Module, given: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        if not module.training:
            return None
        return given, {**named, "targets": wanted(given[1]), "scale": is_scaled()}

    cif.register_forward_pre_hook(told, with_kwargs=True)


def aim(lengths: Tensor, frames_per_keyword: int) -> Tensor:
    """(B,) frames -> (B,) keywords that there should be, rounded half to even."""
    return torch.round(lengths.double() / frames_per_keyword).float()


def _in_head(head: Head, rate: float) -> None:
    head.attention_layer.dropout = rate
    if isinstance(head, TransformerHead):
        layer: Any = head.model.layers[0]
        _after(layer.self_attn, rate)
        _before(layer.linear2, rate)
        _after(layer.linear2, rate)


def _before(module: nn.Module, rate: float) -> None:
    module.register_forward_pre_hook(lambda module, given: (F.dropout(given[0], rate, module.training), *given[1:]))


def _after(module: nn.Module, rate: float) -> None:
    def dropped(module: nn.Module, _: object, out: Any) -> Any:
        if isinstance(out, tuple):  # attention: what it found, and its weights
            return F.dropout(out[0], rate, module.training), *out[1:]
        return F.dropout(out, rate, module.training)

    module.register_forward_hook(dropped)
