"""Pairs become batches of features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from training.published.features.encoders import Precision, states
from training.published.features.records import Records
from training.published.features.survey import Found
from training.published.order import Draw
from training.published.samples import Sample, Unusable, which

Kept = tuple[Tensor, Tensor]
"""(layers + 1, T, D) hidden states of an utterance, in half precision, and (E,) of its image."""


class FeatureBatch(NamedTuple):
    """states: (layers + 1, B, T, D) hidden states, zero padded, in half precision; lengths: (B,) frames

    vectors: (B, E) of images, of unit length; the rest is as in `Batch`
    """

    states: Tensor
    lengths: Tensor
    vectors: Tensor
    ids: Tensor
    places: Tensor
    unusable: list[str]


@dataclass(frozen=True)
class FromFeatures:
    """found: of every pair."""

    found: Sequence[Found]
    speech: Records
    images: Records
    precision: Precision

    def __call__(self, draw: Draw) -> Kept:
        """Raises `Unusable`, and `TrainingError` where features are damaged."""
        found = self.found[draw[0]]
        if isinstance(found, str):
            raise Unusable(found)
        return states(self.speech.read(found.audio), self.precision), torch.from_numpy(self.images.read(found.image))


def collate_features(samples: Sequence[Sample[Kept]]) -> FeatureBatch | None:
    """None where nothing of a batch can be used."""
    contents = [one.content for one in samples if one.content is not None]
    if not contents:
        return None
    lengths = torch.tensor([heard.shape[1] for heard, _ in contents])
    layers, _, size = contents[0][0].shape
    padded = contents[0][0].new_zeros(layers, len(contents), int(lengths.max()), size)
    for row, (heard, _) in enumerate(contents):
        padded[:, row, : heard.shape[1]] = heard
    return FeatureBatch(padded, lengths, torch.stack([vector for _, vector in contents]), *which(samples))
