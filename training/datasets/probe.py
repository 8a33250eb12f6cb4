"""Whether recordings and images can be read, and how long people speak: by headers of some, or by decoding all."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from models.audio import decode
from models.audio.media import opened
from models.errors import AudioError
from training.datasets.dataset import Dataset, Pair
from training.datasets.sources import Source
from training.errors import DatasetError

SAMPLED = 100  # pairs of a split at least, and less than twice as many, evenly spaced
MAX_SECONDS = 600.0  # of one spoken caption
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 100_000_000


@dataclass(frozen=True)
class Probe:
    """What a look into the files gave.

    `hours`: of all recordings of the split, estimated where `measured`, the number of recordings looked into, is less
    than all; None where none could be read. `unreadable`: files with the reason.
    """

    hours: float | None
    measured: int
    unreadable: Sequence[str]


Watched = Callable[[Sequence[Pair]], Iterable[Pair]]
"""Passes pairs on, and shows somebody that they pass."""


def probe(dataset: Dataset, thorough: bool, watched: Watched = iter) -> Probe:
    """Look into the headers of about `SAMPLED` pairs; if `thorough`, decode every recording and every image."""
    step = 1 if thorough else max(1, len(dataset.pairs) // SAMPLED)
    seconds, unreadable, images = list[float](), list[str](), set[str]()
    for pair in watched(dataset.pairs[::step]):
        try:
            seconds.append(_seconds(pair.audio.read(), thorough))
        except (AudioError, DatasetError) as error:
            unreadable.append(_told(pair.audio, error))
        if pair.image.name not in images:
            images.add(pair.image.name)
            if reason := _image_fault(pair.image, thorough):
                unreadable.append(reason)
    hours = sum(seconds) / len(seconds) * len(dataset.pairs) / 3600 if seconds else None
    if seconds and thorough:
        hours = sum(seconds) / 3600
    return Probe(hours, len(seconds), unreadable)


def _seconds(data: bytes, thorough: bool) -> float:
    """Raises `AudioError`, also for a recording that broke off if it is decoded."""
    if not thorough:
        with opened(data) as media:
            if media.declared_seconds is not None:
                return media.declared_seconds
    wave = decode(data, MAX_SECONDS)
    if wave.truncated:
        raise AudioError(f"it breaks off after {wave.seconds:.1f} s")
    return wave.seconds


def _image_fault(source: Source, thorough: bool) -> str | None:
    try:
        # Pillow warns of images that are too large; here they are too large.
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(BytesIO(source.read()), formats=IMAGE_FORMATS) as image,
        ):
            if image.width * image.height > MAX_PIXELS:
                return f"{source.name}: it has {image.width} x {image.height} pixels"
            if thorough:
                image.load()
    except DatasetError as error:
        return _told(source, error)
    # Pillow's readers raise nearly anything on broken files: OSError, SyntaxError, ValueError, struct.error, ...
    except Exception as error:
        return f"{source.name}: no readable image, {type(error).__name__}"
    return None


def _told(source: Source, error: Exception) -> str:
    text = str(error)
    return text if text.startswith(source.name) else f"{source.name}: {text}"
