"""Pairs become batches, of waveforms and images or of what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from models.audio import decode
from models.clip import ImagePreprocessor
from models.errors import AudioError, UndecodableImage
from models.images import decode_image
from models.listeners import pad
from training.datasets import Pair
from training.errors import DatasetError
from training.published.errors import TrainingError
from training.published.order import Draw

MAX_SECONDS = 600.0  # of a recording
_MOST_IN_A_ROW = 100  # files that cannot be used, before the whole corpus is taken to be broken

T = TypeVar("T")
Wave = NDArray[np.float32]
Raw = tuple[Wave, Tensor]
"""(samples,) of an utterance and (3, H, H) of its image."""


class Batch(NamedTuple):
    """waves: (B, N) zero padded; lengths: (B,) samples; images: (B, 3, H, H) preprocessed; ids: (B,) of images

    places: (B,) in the data set; unusable: the files that others took the place of, or that are left out
    """

    waves: Tensor
    lengths: Tensor
    images: Tensor
    ids: Tensor
    places: Tensor
    unusable: list[str]


@dataclass(frozen=True)
class Sample(Generic[T]):
    """What became of a draw; None: nothing, and `unusable` says why."""

    place: int
    id: int
    content: T | None
    unusable: Sequence[str] = ()


class Unusable(Exception):
    """A pair that nothing can be made of; the message says which, and why."""


class Samples(TorchDataset[Sample[T]], Generic[T]):
    """load: what a draw is, or `Unusable`; ids: of the images; replaced: the next takes the place of such a pair."""

    def __init__(self, load: Callable[[Draw], T], ids: Sequence[int], replaced: bool) -> None:
        self._load, self._ids, self._replaced = load, ids, replaced

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, draw: Draw) -> Sample[T]:
        """Raises `TrainingError` where hardly anything can be used."""
        place, epoch = draw
        unusable = list[str]()
        while True:
            try:
                return Sample(place, self._ids[place], self._load((place, epoch)), unusable)
            except Unusable as reason:
                unusable.append(str(reason))
            if not self._replaced:
                return Sample(place, self._ids[place], None, unusable)
            if len(unusable) == min(_MOST_IN_A_ROW, len(self)):
                raise TrainingError(f"{len(unusable)} pairs in a row cannot be used; the last is {unusable[-1]}")
            place = (place + 1) % len(self)


@dataclass(frozen=True)
class FromFiles:
    """most: waveforms are cut to so many samples at a random place; None: they are not."""

    pairs: Sequence[Pair]
    pixels: ImagePreprocessor
    most: int | None
    seed: int

    def __call__(self, draw: Draw) -> Raw:
        """Raises `Unusable`."""
        pair = self.pairs[draw[0]]
        try:
            return self._cut(read_wave(pair.audio.read()), draw), read_pixels(pair.image.read(), self.pixels)
        except (AudioError, DatasetError, UndecodableImage) as error:
            raise Unusable(f"{pair.audio.name} with {pair.image.name}: {error}") from error

    def _cut(self, wave: Wave, draw: Draw) -> Wave:
        if self.most is None or len(wave) <= self.most:
            return wave
        place, epoch = draw
        start = np.random.default_rng((self.seed, epoch, place)).integers(len(wave) - self.most)
        return wave[start : start + self.most]


def read_wave(data: bytes) -> Wave:
    """(samples,) of an audio file. Raises `AudioError`."""
    return decode(data, MAX_SECONDS).samples


def read_pixels(data: bytes, pixels: ImagePreprocessor) -> Tensor:
    """(3, H, H) of an image file, upright. Raises `UndecodableImage`."""
    return pixels([decode_image(data)[0]])[0]


def collate(samples: Sequence[Sample[Raw]]) -> Batch | None:
    """None where nothing of a batch can be used."""
    contents = [one.content for one in samples if one.content is not None]
    if not contents:
        return None
    waves, lengths = pad([wave for wave, _ in contents])
    return Batch(waves, lengths, torch.stack([pixels for _, pixels in contents]), *which(samples))


def which(samples: Sequence[Sample[T]]) -> tuple[Tensor, Tensor, list[str]]:
    """(B,) ids and places of what can be used, and the names of all that cannot."""
    usable = [one for one in samples if one.content is not None]
    ids, places = torch.tensor([one.id for one in usable]), torch.tensor([one.place for one in usable])
    return ids, places, [name for one in samples for name in one.unusable]
