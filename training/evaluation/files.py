"""The bytes of files become what a model takes, or a reason why they cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from models.audio import decode
from models.errors import AudioError, ImageError
from models.images import decode_image

MAX_SECONDS = 600.0  # of one utterance; published evaluations know no limit

T = TypeVar("T")


def read_audio(data: bytes) -> NDArray[np.float32]:
    """Mono samples at 16 kHz. Raises `AudioError`."""
    return decode(data, MAX_SECONDS).samples


def read_image(data: bytes) -> Image:
    """The image, upright. Raises `UndecodableImage`."""
    return decode_image(data)[0]


def readable(read: Callable[[bytes], T], files: Sequence[bytes]) -> tuple[list[T], list[str]]:
    """What was read of those files that could be, and for each file the reason why it could not, or ""."""
    found, reasons = [], []
    for data in files:
        try:
            found.append(read(data))
            reasons.append("")
        except (AudioError, ImageError) as error:
            reasons.append(str(error))
    return found, reasons
