"""Decoded frames of any rate, sample format and number of channels become one mono signal of one rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from models.errors import UndecodableAudio

DTYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "flt": "f4", "dbl": "f8"}  # FFmpeg's sample formats in NumPy's words
MOST_GATHERED = 64  # frames
MAX_RATE_CHANGES = 100  # each costs the design of a filter


def gathered(frames: Iterable[AudioFrame]) -> Iterator[list[AudioFrame]]:
    """Neighbours of one shape together: a codec's frames are so short that each would cost more than its samples."""
    group: list[AudioFrame] = []
    for frame in frames:
        if group and (len(group) == MOST_GATHERED or _shape(frame) != _shape(group[0])):
            yield group
            group = []
        group.append(frame)
    if group:
        yield group


def _shape(frame: AudioFrame) -> tuple[int, str, int]:
    return frame.sample_rate, frame.format.name, frame.layout.nb_channels


def mono(frames: Sequence[AudioFrame]) -> NDArray[np.float64]:
    """The mean of the channels of frames of one shape, (time,); full scale is 1."""
    channels = np.concatenate([_channels(frame) for frame in frames], axis=1)
    # Sums of the largest doubles overflow: to an infinity, which is refused where it is seen.
    with np.errstate(over="ignore", invalid="ignore"):
        mean: NDArray[np.float64] = channels.mean(axis=0, dtype=np.float64)
    if channels.dtype.kind == "f":
        return mean
    full_scale = 2.0 ** (8 * channels.dtype.itemsize - 1)
    return (mean - full_scale if channels.dtype.kind == "u" else mean) / full_scale


def _channels(frame: AudioFrame) -> NDArray[Any]:
    """A frame's samples, (channels, time), as they were decoded.

    `AudioFrame.to_ndarray` would read one plane too many where there are eight (PyAV 18.1), and end the process.
    """
    count, dtype = frame.layout.nb_channels, DTYPES[frame.format.packed.name]
    if frame.format.is_planar and count > 1:
        return np.stack([np.frombuffer(memoryview(plane), dtype, frame.samples) for plane in frame.planes[:count]])
    samples: NDArray[Any] = np.frombuffer(memoryview(frame.planes[0]), dtype, frame.samples * count)
    return samples.reshape(-1, count).T


class Resampler:
    """Mono pieces of any rate in, one signal of `out_rate` out. Holds the result and no more, whatever comes in."""

    def __init__(self, out_rate: int) -> None:
        self._out_rate = out_rate
        self._in_rate = out_rate
        self._changes = 0
        self._filter: soxr.ResampleStream | None = None
        self._pieces: list[NDArray[np.float32]] = []

    def push(self, samples: NDArray[np.float32] | NDArray[np.float64], rate: int) -> None:
        """Add (time,) finite samples of `rate` Hz."""
        if rate != self._in_rate:
            self._change(rate)
        # What lies beyond full scale, any converter would clip; the largest floats would overflow in the filter.
        piece = np.clip(samples, -1.0, 1.0).astype(np.float32)
        self._pieces.append(piece if self._filter is None else self._filter.resample_chunk(piece))

    def take(self) -> NDArray[np.float32]:
        """What has come out since it was last asked, (time,); it is not kept."""
        pieces, self._pieces = self._pieces, []
        return np.concatenate([np.zeros(0, np.float32), *pieces])

    def finish(self) -> NDArray[np.float32]:
        """The signal to its end, but for what was taken. A filter rings, so it can exceed full scale by a little."""
        self._flush()
        return self.take()

    def _change(self, rate: int) -> None:
        self._flush()
        self._changes += 1
        if self._changes > MAX_RATE_CHANGES:
            raise UndecodableAudio(f"the sample rate changes more than {MAX_RATE_CHANGES} times")
        same = rate == self._out_rate
        self._filter = None if same else soxr.ResampleStream(rate, self._out_rate, 1, dtype="float32", quality="HQ")
        self._in_rate = rate

    def _flush(self) -> None:
        if self._filter is not None:
            self._pieces.append(self._filter.resample_chunk(np.zeros(0, np.float32), last=True))
