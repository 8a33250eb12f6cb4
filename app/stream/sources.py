"""Audio that comes piece by piece: what has been heard so far, at any time. Blocking; one call at a time."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from models.audio.resample import Resampler
from models.decoders import Decoder
from models.errors import AudioError, AudioTooLong

Samples = NDArray[np.float32]

MAX_CONTAINER_BYTES = 4 * 1024 * 1024
"""Half a minute at a megabit a second; what recorders make is an eighth of that."""
LATE_S = 30.0
"""So much audio beyond the longest that is heard may have come until it is decoded."""


class Source(Protocol):
    """most_bytes: so many are taken; what comes after them is not heard (`pcm`), or refused (`container`)."""

    most_bytes: int

    def take(self, data: bytes, *, last: bool) -> Samples:
        """Everything heard so far, (time,) at 16 kHz, with `data` at its end. Raises a subclass of `AudioError`."""
        ...


class Pcm:
    """Mono samples of 16 bits, little endian, cut anywhere."""

    def __init__(self, rate: int, max_seconds: float) -> None:
        self.most_bytes = 2 * round(rate * max_seconds)
        self._rate, self._resampler = rate, Resampler(SAMPLE_RATE)
        self._heard = np.empty(round(max_seconds * SAMPLE_RATE), np.float32)
        self._length = 0
        self._rest = b""

    def take(self, data: bytes, *, last: bool) -> Samples:
        data = self._rest + data
        whole = len(data) & ~1
        self._rest = data[whole:]
        self._resampler.push(np.frombuffer(data, "<i2", whole // 2) / 32768.0, self._rate)
        self._append(self._resampler.finish() if last else self._resampler.take())
        return self._heard[: self._length]

    def _append(self, samples: Samples) -> None:
        samples = samples[: len(self._heard) - self._length]
        self._heard[self._length : self._length + len(samples)] = np.clip(samples, -1.0, 1.0)
        self._length += len(samples)


class Container:
    """A file that grows, decoded anew from its start each time: a recorder's file is small, and any of them is read."""

    most_bytes = MAX_CONTAINER_BYTES

    def __init__(self, max_seconds: float, decoder: Decoder) -> None:
        self._max_seconds, self._decoder = max_seconds, decoder
        self._data = bytearray()
        self._heard: Samples = np.empty(0, np.float32)

    def take(self, data: bytes, *, last: bool) -> Samples:
        self._data += data
        if data or last:
            self._decode(last)
        return self._heard[: round(self._max_seconds * SAMPLE_RATE)]

    def _decode(self, last: bool) -> None:
        try:
            self._heard = self._decoder.audio(bytes(self._data), self._max_seconds + LATE_S).samples
        except AudioTooLong:
            raise
        except AudioError:
            # Its beginning may be too short to be read yet.
            if last:
                raise


def source_of(format: Literal["pcm", "container"], rate: int, max_seconds: float, decoder: Decoder) -> Source:
    """Where a stream's audio comes from; `rate` is that of `pcm`, `decoder` is for files."""
    return Pcm(rate, max_seconds) if format == "pcm" else Container(max_seconds, decoder)
