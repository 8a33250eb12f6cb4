"""What has to be computed before a training can run from features, and how much room it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np

from models.clip import ImagePreprocessor
from models.errors import AudioError, UndecodableImage
from training.datasets import Dataset, Pair, Source
from training.errors import DatasetError
from training.published.errors import TrainingError
from training.published.features.encoders import FrozenEncoders
from training.published.features.records import Records
from training.published.samples import read_pixels, read_wave


@dataclass(frozen=True)
class Keys:
    """Under what the features of a pair are kept."""

    audio: str
    image: str


Found = Keys | str
"""Or why a pair cannot be used."""


def open_records(folder: Path, encoders: FrozenEncoders) -> tuple[Records, Records]:
    """Of speech, and of images. Raises `TrainingError`."""
    return Records(folder / encoders.speech_name, np.int16), Records(folder / encoders.image_name, np.float32)


@dataclass
class Survey:
    """A look at every file of a corpus, and into those of which nothing is kept yet.

    speech, images: what is to be computed, by its key
    bytes: what it will take; lengths: samples of all recordings
    """

    encoders: FrozenEncoders
    pixels: ImagePreprocessor
    kept: tuple[Records, Records]
    speech: dict[str, Source] = field(default_factory=dict)
    images: dict[str, Source] = field(default_factory=dict)
    bytes: int = 0
    lengths: dict[str, int] = field(default_factory=dict)
    _seen: dict[Source, str] = field(default_factory=dict)

    def of(self, dataset: Dataset) -> Sequence[Found]:
        """Of every pair, in their order."""
        return [self._found(pair) for pair in dataset.pairs]

    def require_uncut(self, found: Sequence[Found], most: int) -> None:
        """Raises `TrainingError` where a training would cut utterances, at another place in every epoch."""
        lengths = [self.lengths[one.audio] for one in found if isinstance(one, Keys)]
        if long := [length for length in lengths if length > most]:
            raise TrainingError(
                f"{len(long):,} of {len(lengths):,} utterances are longer than data.most_samples={most} and would be "
                "cut at another place every time, which features that are computed once cannot follow: "
                f"choose data.most_samples={max(long)} or features=none"
            )

    def _found(self, pair: Pair) -> Found:
        try:
            return Keys(self._speech(pair.audio), self._image(pair.image))
        except (AudioError, DatasetError, UndecodableImage) as error:
            return f"{pair.audio.name} with {pair.image.name}: {error}"

    def _speech(self, source: Source) -> str:
        data = source.read()
        key = digest(data)
        if key not in self.lengths:
            there = key in self.kept[0]
            self.lengths[key] = self.kept[0].length(key) if there else len(read_wave(data))
            if not there:
                self.speech[key] = source
                self.bytes += self.encoders.speech_bytes(self.lengths[key])
        return key

    def _image(self, source: Source) -> str:
        if source not in self._seen:
            data = source.read()
            key = digest(data)
            if key not in self.kept[1] and key not in self.images:
                read_pixels(data, self.pixels)
                self.images[key] = source
                self.bytes += self.encoders.image_bytes
            self._seen[source] = key
        return self._seen[source]


def digest(data: bytes) -> str:
    """The key of what is made of a file."""
    return blake2b(data, digest_size=20).hexdigest()
