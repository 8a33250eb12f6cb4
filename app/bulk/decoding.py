"""An item's content as the model takes it: the part of the work that any number of threads do at one time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import _imaging as core

from app.bulk.items import MAX_MEDIA, Bad, File, Item, Slice, bad
from index.manifest import Kind
from models.audio import decode
from models.errors import AudioError, ImageError
from models.images import FORMATS, MAX_PIXELS, decode_image, looked_at
from models.protocol import Encoder

Payload = Image.Image | NDArray[np.float32] | str
"""An image as small as the model looks at it; samples (N,) at 16 kHz, or a vector (E,); or a text."""

MEMORY = 1 << 30  # bytes that all threads together may use for what they decode
BYTES_PER_PIXEL = 8  # decoded, and once more to turn or convert it
EXPANSION = 4  # of compressed audio while it is decoded, beside the samples


@dataclass(frozen=True, slots=True)
class Ready:
    """An item that can be embedded."""

    item: Item
    payload: Payload


BLOCK = 64 << 20
"""Bytes of the blocks that Pillow takes memory in; see `give_memory_back`."""


def give_memory_back() -> None:
    """What large images took is free for all when they are gone; for the whole process.

    Otherwise it stays with the thread that had it: the C library keeps smaller blocks than these for the next image.
    """
    core.set_block_size(BLOCK)


class Budget:
    """So many bytes at one time. Who wants more than are left waits, and who wants more than there are gets them all.

    A folder of the largest images there are takes no more memory than one of small ones, only longer.
    """

    def __init__(self, size: int = MEMORY) -> None:
        self._size = self._left = size
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        amount = min(amount, self._size)
        with self._changed:
            self._changed.wait_for(lambda: amount <= self._left)
            self._left -= amount
        try:
            yield
        finally:
            with self._changed:
                self._left += amount
                self._changed.notify_all()


@dataclass(frozen=True)
class Decoder:
    """Makes items ready. `max_seconds`: of a recording."""

    kind: Kind
    encoder: Encoder
    max_seconds: float
    budget: Budget

    def __call__(self, item: Item) -> Ready | Bad:
        content = item.content
        if content is None:
            return Ready(item, item.record.caption or "")
        if isinstance(content, np.ndarray):
            return Ready(item, content)
        try:
            return Ready(item, self._decoded(content))
        except (AudioError, ImageError, ValueError, OSError) as error:
            return bad(item.where, error, item.weight)

    def _decoded(self, content: File | Slice) -> Payload:
        size = _size(content)
        if self.kind == "audio":
            with self.budget.hold(EXPANSION * size):
                return decode(_read(content, size), self.max_seconds).samples
        with self.budget.hold(size):
            pixels = _pixels(_read(content, size))
        with self.budget.hold(size + BYTES_PER_PIXEL * pixels):
            return looked_at(decode_image(_read(content, size))[0], self.encoder.image_size)


def _size(content: File | Slice) -> int:
    size = content.path.stat().st_size if isinstance(content, File) else content.size
    if size > MAX_MEDIA:
        raise ValueError(f"it has {size:,} bytes; {MAX_MEDIA:,} are the most")
    return size


def _read(content: File | Slice, size: int) -> bytes:
    """All bytes, which were `size` a moment ago."""
    with content.path.open("rb") as file:
        if isinstance(content, Slice):
            file.seek(content.offset)
        data = file.read(size)
    if len(data) < size:
        raise ValueError(f"it broke off: {len(data):,} of {size:,} bytes are there")
    return data


def _pixels(data: bytes) -> int:
    """How many an image says that it has, as far as they would be decoded; 0 where that is not known."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            return min(image.width * image.height, MAX_PIXELS)
    # Pillow raises nearly anything on broken files; what is wrong is told by who decodes it.
    except Exception:
        return 0
