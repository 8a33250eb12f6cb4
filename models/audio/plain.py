"""WAV files as nearly everybody writes them, read without FFmpeg: opening it takes longer than their samples do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.audio.containers import RIFF_HEADER, is_wav

CHUNK_HEADER = 8
FMT_SIZES = (16, 18)
PCM, BITS = 1, 16
MOST_CHANNELS = 2
MOST_CHUNKS = 16


@dataclass(frozen=True)
class PlainWav:
    """samples: (time, channels) int16, a view of the file; rate: in Hz, as the file says."""

    samples: NDArray[np.int16]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def mono(self) -> NDArray[np.float32]:
        """The mean of the channels, (time,); full scale is 1. Nothing is rounded."""
        channels = self.samples.shape[1]
        mixed: NDArray[np.float32] = self.samples.sum(1, dtype=np.float32) / np.float32(channels << (BITS - 1))
        return mixed


def plain_wav(data: bytes) -> PlainWav | None:
    """16-bit PCM of one or two channels that is all there; None for any other file, and for all that is odd."""
    if not is_wav(data):
        return None
    at, layout = RIFF_HEADER, None
    for _ in range(MOST_CHUNKS):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + CHUNK_HEADER], "little")
        start, end = at + CHUNK_HEADER, at + CHUNK_HEADER + size
        if end > len(data) or not name:
            return None
        if name == b"data":
            # A second one would be read by FFmpeg as well.
            return None if layout is None or data.find(b"data", end) >= 0 else _samples(data, start, size, *layout)
        if name == b"fmt ":
            layout = _layout(data[start:end])
            if layout is None:
                return None
        at = end + size % 2
    return None


def _layout(fmt: bytes) -> tuple[int, int] | None:
    """Channels and rate of 16-bit PCM."""
    if len(fmt) not in FMT_SIZES:
        return None
    coding, channels = (int.from_bytes(fmt[place : place + 2], "little") for place in (0, 2))
    rate, block, bits = (int.from_bytes(fmt[a:b], "little") for a, b in ((4, 8), (12, 14), (14, 16)))
    plain = coding == PCM and bits == BITS and 1 <= channels <= MOST_CHANNELS and block == channels * BITS // 8
    return (channels, rate) if plain and rate else None


def _samples(data: bytes, start: int, size: int, channels: int, rate: int) -> PlainWav | None:
    count = size // (2 * channels)
    if not count:
        return None
    return PlainWav(np.frombuffer(data, "<i2", count * channels, start).reshape(count, channels), rate)
