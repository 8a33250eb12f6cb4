"""What each step that makes the encoder quick on a CPU does by itself: switched off alone, beside all of them on.

speechclip bench steps --model base-cascaded
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from bench import full_size
from bench.encode import noise
from bench.measure import Contender, compare
from bench.reference import Reference
from bench.report import Report
from models.branches.heads import Head
from models.clip import unit
from models.config import AudioConfig, Precision
from models.encoder import SpeechClipEncoder
from models.folder import ModelFolder
from models.listeners import OneByOne
from models.packed.front import _FRAMES, PackedFront
from models.packed.hubert import PackedAudioEncoder
from models.packed.linear import windows
from models.precision import KINDS
from models.protocol import Vectors


@dataclass(frozen=True)
class Step:
    """name: what the encoder does; with `attribute` of `owner` set to `plain` it does not."""

    name: str
    owner: object
    attribute: str
    plain: object

    def off(self) -> AbstractContextManager[object]:
        """Within it, the step is not taken."""
        return patch.object(self.owner, self.attribute, self.plain)


def steps(models: Sequence[str], seconds: float, precision: Precision, rounds: int, seed: int) -> Report:
    """One table for each model."""
    torch.set_num_threads(1)
    settings = {"seconds": seconds, "precision": precision, "rounds": rounds, "seed": seed, "threads": 1}
    report = Report("Each step alone", settings)
    for name in models:
        report.add(name, measured(full_size.model(name, seed), seconds, precision, rounds, seed))
    return report


def measured(folder: ModelFolder, seconds: float, precision: Precision, rounds: int, seed: int) -> list[dict[str, Any]]:
    """ratio: how many times as long it takes without the step."""
    encoder, waves = full_size.encoder(folder, precision), noise(seconds, 1, seed)

    def whole() -> Vectors:
        return encoder.embed_speech(waves).vectors

    switched = list(switches(encoder))
    without = [_without(step, whole) for step in switched]
    rivals = [Contender(f"without: {step.name}", run) for step, run in zip(switched, without, strict=True)]
    rows = compare(Contender("all steps", whole), rivals, rounds).rows()
    expected = whole().astype(np.float64)
    errors = [1 - float((run() * expected).sum(1).min()) for run in (whole, *without)]
    return [{**row, "cosine error": error} for row, error in zip(rows, errors, strict=True)]


def _without(step: Step, whole: Callable[[], Vectors]) -> Callable[[], Vectors]:
    def run() -> Vectors:
        with step.off():
            return whole()

    return run


def switches(encoder: SpeechClipEncoder) -> Iterator[Step]:
    """All steps that this model has."""
    network, listen = encoder.network, encoder._listen
    if not isinstance(listen, OneByOne):
        raise ValueError("these are steps on a CPU")
    packed, hubert = listen._encoder, network.audio_encoder.hubert
    with patch("models.packed.linear.can_pack", lambda: False):
        loose = PackedAudioEncoder(network.audio_encoder, KINDS[encoder.precision])
    yield Step("weights as oneDNN wants them", listen, "_encoder", loose)
    layers: Any = hubert.feature_extractor.conv_layers
    yield Step("convolutions as products, in parts", packed, "_front", lambda wave: _convolved(layers, wave))
    if network.config.audio.conv_norm == "group":
        first = _FirstApart(packed._front, layers[0], network.config.audio)
        yield Step("first convolution and normalisation as one product", packed, "_front", first)
    places: Any = hubert.encoder.pos_conv_embed
    yield Step("places as products, normalised once", packed, "_places", lambda x: places(x[None])[0])
    yield Step("layers added up as they come", listen, "_encoder", _Stacked(packed))
    cascaded = network.config.cascaded is not None
    head = network.cascaded_branch.self_att if cascaded else network.parallel_branch.self_att
    yield Step("no keys and values of frames", head, "_attend", _attending(head))
    if cascaded:
        read = Reference(network)._read
        yield Step("text ends with its keywords", network, "embed_keywords", lambda found: unit(read(found.embeddings)))
        keywords = network.keywords
        yield Step("sub-words normalised once", network, "keywords", lambda frames, subwords: keywords(frames))


def _convolved(layers: Sequence[nn.Module], wave: Tensor) -> Tensor:
    """(N,) -> (T, C), as PyTorch convolves."""
    x = wave[None, None]
    for layer in layers:
        x = layer(x)
    return x[0].T.contiguous()


class _FirstApart:
    """The packed front behind a first convolution and a group normalisation that are PyTorch's."""

    def __init__(self, front: PackedFront, first: nn.Module, config: AudioConfig) -> None:
        self._first, self._layers = first, front._layers[1:]
        self._steps = list(zip(config.conv_kernel[1:], config.conv_stride[1:], strict=True))
        self._reach, self._stride = 1, 1
        for kernel, stride in reversed(self._steps):
            self._reach, self._stride = (self._reach - 1) * stride + kernel, self._stride * stride

    def __call__(self, wave: Tensor) -> Tensor:
        x = self._first(wave[None, None])[0].T.contiguous()
        count = (len(x) - self._reach) // self._stride + 1
        starts = range(0, count, _FRAMES)
        return torch.cat([self._rest(x, start, min(start + _FRAMES, count)) for start in starts])

    def _rest(self, x: Tensor, start: int, end: int) -> Tensor:
        """Frames from `start` to before `end`."""
        x = x[start * self._stride : (end - 1) * self._stride + self._reach]
        for layer, (kernel, stride) in zip(self._layers, self._steps, strict=True):
            x = layer(windows(x.to(layer.kind), kernel, stride))
        return x


def _attending(head: Head) -> Callable[[Tensor, Tensor, int], Tensor]:
    """As PyTorch does it: keys and values of every position, for the few that are asked."""

    def attend(x: Tensor, padding: Tensor, queries: int) -> Tensor:
        few = x[:, :queries]
        attended, _ = head.attention_layer(few, x, x, key_padding_mask=padding, need_weights=False)
        summed: Tensor = few + attended
        return summed

    return attend


class _Stacked:
    """The packed encoder with all layers' outputs kept to the end, and added up there."""

    def __init__(self, packed: PackedAudioEncoder) -> None:
        self._packed = packed

    def __call__(self, wave: Tensor) -> Tensor:
        packed, states = self._packed, list[Tensor]()

        def part(x: Tensor) -> Tensor:
            states.append(x)
            return torch.zeros_like(x[:1])  # what is added up meanwhile is next to nothing

        with patch.object(packed, "_part", part):
            packed(wave)
        stacked = torch.stack([packed._part(x) for x in states])
        return (packed._shares[:, None, None] * stacked).sum(0)
