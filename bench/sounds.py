"""Sounds to send: seeded, of the lengths and kinds of file that people send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

RATE = 16_000
SECONDS = (1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 8.0, 12.0)
SYLLABLE_S = 0.2


@dataclass(frozen=True)
class Kind:
    """FFmpeg's names for a container and a codec."""

    name: str
    container: str
    codec: str
    sample_format: str
    rate: int = RATE
    media_type: str = "audio/wav"


WAV = Kind("wav", "wav", "pcm_s16le", "s16")
KINDS = (
    WAV,
    Kind("wav 44.1 kHz", "wav", "pcm_s16le", "s16", 44_100),
    Kind("flac", "flac", "flac", "s16", 44_100, "audio/flac"),
    Kind("mp3", "mp3", "libmp3lame", "fltp", 44_100, "audio/mpeg"),
    Kind("ogg", "ogg", "libopus", "flt", 48_000, "audio/ogg"),
    Kind("webm", "webm", "libopus", "flt", 48_000, "audio/webm"),
    Kind("m4a", "ipod", "aac", "fltp", 44_100, "audio/mp4"),
)


@dataclass(frozen=True)
class Sound:
    """A file and how long it lasts."""

    data: bytes
    media_type: str
    seconds: float


def mixed(count: int, seed: int) -> list[Sound]:
    """Files of all kinds and lengths by turns."""
    random = np.random.default_rng(seed)
    return [sound(SECONDS[number % len(SECONDS)], KINDS[number % len(KINDS)], random) for number in range(count)]


def sound(seconds: float, kind: Kind, random: np.random.Generator) -> Sound:
    return Sound(_written(samples(seconds, kind.rate, random), kind), kind.media_type, seconds)


def samples(seconds: float, rate: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Noise that grows and fades as often as syllables do, (time,)."""
    time = np.arange(round(seconds * rate)) / rate
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * time / SYLLABLE_S)
    return (0.2 * envelope * random.standard_normal(len(time))).clip(-1, 1).astype(np.float32)


def _written(signal: NDArray[np.float32], kind: Kind) -> bytes:
    file = BytesIO()
    with av.open(file, "w", format=kind.container) as container:
        stream = cast(AudioStream, container.add_stream(kind.codec, rate=kind.rate, layout="mono"))
        stream.codec_context.format = kind.sample_format
        resampler = av.AudioResampler(kind.sample_format, "mono", kind.rate, stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(signal[None], "fltp", "mono")
        frame.rate = kind.rate
        frames: Sequence[av.AudioFrame | None] = [*resampler.resample(frame), *resampler.resample(None), None]
        for piece in frames:
            container.mux(stream.encode(piece))
    return file.getvalue()
