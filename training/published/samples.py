"""Pairs become batches of waveforms and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from models.audio import decode
from models.clip import ImagePreprocessor
from models.encoder import pad
from models.errors import AudioError, UndecodableImage
from training.datasets import Pair
from training.errors import DatasetError
from training.published.errors import TrainingError
from training.published.order import Draw

MAX_SECONDS = 600.0  # of a recording
_MOST_IN_A_ROW = 100  # files that cannot be used, before the whole corpus is taken to be broken


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
class Sample:
    """What became of a draw; wave and pixels None: nothing, and `unusable` says why."""

    place: int
    id: int
    wave: NDArray[np.float32] | None
    pixels: Tensor | None
    unusable: Sequence[str] = ()


class Samples(TorchDataset[Sample]):
    """most_samples: waveforms are cut to so many at a random place; None: they are not, and nothing takes the place
    of what cannot be used.
    """

    def __init__(self, pairs: Sequence[Pair], pixels: ImagePreprocessor, most_samples: int | None, seed: int) -> None:
        self._pairs, self._pixels, self._most, self._seed = pairs, pixels, most_samples, seed

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, draw: Draw) -> Sample:
        """Raises `TrainingError` where hardly anything can be used."""
        place, epoch = draw
        unusable = list[str]()
        while True:
            pair = self._pairs[place]
            try:
                wave, pixels = decode(pair.audio.read(), MAX_SECONDS).samples, self._image(pair)
                return Sample(place, pair.image_id, self._cut(wave, place, epoch), pixels, unusable)
            except (AudioError, DatasetError, UndecodableImage) as error:
                unusable.append(f"{pair.audio.name} with {pair.image.name}: {error}")
            if self._most is None:
                return Sample(place, pair.image_id, None, None, unusable)
            if len(unusable) == min(_MOST_IN_A_ROW, len(self)):
                raise TrainingError(f"{len(unusable)} pairs in a row cannot be used; the last is {unusable[-1]}")
            place = (place + 1) % len(self)

    def _cut(self, wave: NDArray[np.float32], place: int, epoch: int) -> NDArray[np.float32]:
        if self._most is None or len(wave) <= self._most:
            return wave
        start = np.random.default_rng((self._seed, epoch, place)).integers(len(wave) - self._most)
        return wave[start : start + self._most]

    def _image(self, pair: Pair) -> Tensor:
        data = pair.image.read()
        try:
            with Image.open(BytesIO(data)) as image:
                return self._pixels([image])[0]
        # Pillow's readers raise nearly anything on broken files: OSError, SyntaxError, ValueError, struct.error, ...
        except Exception as error:
            raise UndecodableImage(f"no readable image, {type(error).__name__}") from error


def collate(samples: Sequence[Sample]) -> Batch | None:
    """None where nothing of a batch can be used."""
    usable = [(one, one.wave, one.pixels) for one in samples if one.wave is not None and one.pixels is not None]
    if not usable:
        return None
    waves, lengths = pad([wave for _, wave, _ in usable])
    images = torch.stack([pixels for _, _, pixels in usable])
    ids = torch.tensor([one.id for one, _, _ in usable])
    places = torch.tensor([one.place for one, _, _ in usable])
    return Batch(waves, lengths, images, ids, places, [name for one in samples for name in one.unusable])
