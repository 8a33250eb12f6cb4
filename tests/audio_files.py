"""Writes a waveform as an audio file of every kind people send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

Samples = NDArray[np.floating]

LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 6: "5.1", 8: "7.1"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "200000"}  # microseconds


@dataclass(frozen=True)
class FileKind:
    """How one kind of file is written: FFmpeg's names for the container and the codec, and what both must be told."""

    container: str
    codec: str
    sniffed: str
    sample_format: str = "fltp"
    options: Mapping[str, str] = field(default_factory=dict)
    rates: tuple[int, ...] = (44_100,)
    channels: tuple[int, ...] = (1, 2)
    lossless: bool = False


KINDS: Mapping[str, FileKind] = {
    "wav-u8": FileKind("wav", "pcm_u8", "wav", "u8", lossless=True),
    "wav-16": FileKind("wav", "pcm_s16le", "wav", "s16", lossless=True, channels=(1, 2, 6, 8)),
    "wav-24": FileKind("wav", "pcm_s24le", "wav", "s32", lossless=True),
    "wav-32": FileKind("wav", "pcm_s32le", "wav", "s32", lossless=True),
    "wav-float": FileKind("wav", "pcm_f32le", "wav", "flt", lossless=True),
    "wav-double": FileKind("wav", "pcm_f64le", "wav", "dbl", lossless=True),
    "wav-mulaw": FileKind("wav", "pcm_mulaw", "wav", "s16", rates=(8_000,)),
    "flac-16": FileKind("flac", "flac", "flac", "s16", lossless=True, channels=(1, 2, 8)),
    "flac-24": FileKind("flac", "flac", "flac", "s32", lossless=True),
    "mp3": FileKind("mp3", "libmp3lame", "mp3"),
    "ogg-opus": FileKind("ogg", "libopus", "ogg", "flt", rates=(48_000,), channels=(1, 2, 8)),
    "ogg-vorbis": FileKind("ogg", "vorbis", "ogg", options={"strict": "experimental"}, channels=(2,)),
    # What a browser's MediaRecorder makes: written as it goes, so it says nowhere how long it is.
    "webm-live": FileKind("webm", "libopus", "webm", "flt", {"live": "1"}, rates=(48_000,)),
    "webm": FileKind("webm", "libopus", "webm", "flt", rates=(48_000,)),
    "m4a": FileKind("ipod", "aac", "mp4"),
    "m4a-streamable": FileKind("ipod", "aac", "mp4", options={"movflags": "faststart"}),
    "m4a-fragmented": FileKind("mp4", "aac", "mp4", options=FRAGMENTED),
    "m4a-alac": FileKind("ipod", "alac", "mp4", "s16p", lossless=True),
    "aac": FileKind("adts", "aac", "aac"),
    "aiff": FileKind("aiff", "pcm_s16be", "aiff", "s16", lossless=True),
    "aiff-24": FileKind("aiff", "pcm_s24be", "aiff", "s32", lossless=True),
}


def encode(samples: Samples, rate: int, kind: str) -> bytes:
    """The bytes of a file of `kind` (a key of KINDS) that holds `samples`, (time,) or (channels, time) in [-1, 1]."""
    how, channels = KINDS[kind], np.atleast_2d(samples)
    layout = LAYOUTS[len(channels)]
    # A real file, because FFmpeg opens it a second time to move an m4a's index to its front.
    with TemporaryDirectory() as folder:
        path = Path(folder, "audio")
        with av.open(str(path), "w", format=how.container, options=dict(how.options)) as out:
            stream = cast(AudioStream, out.add_stream(how.codec, rate=rate, layout=layout, options=dict(how.options)))
            stream.codec_context.format = how.sample_format
            frame = av.AudioFrame.from_ndarray(_quantised(channels, how.sample_format), how.sample_format, layout)
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                out.mux(packet)
        return path.read_bytes()


def tone(seconds: float, rate: int, hertz: float = 440.0, channels: int = 1, level: float = 0.5) -> NDArray[np.float64]:
    """A sine, (time,) for one channel, else (channels, time) with the same sine in each."""
    wave = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return wave if channels == 1 else np.tile(wave, (channels, 1))


def film_without_sound() -> bytes:
    """An MP4 of a few black pictures."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        pictures = [av.VideoFrame(16, 16, "yuv420p") for _ in range(5)]
        for picture in [*pictures, None]:
            out.mux(stream.encode(picture))
    return file.getvalue()


def wav_header(codec: int, channels: int, rate: int, bits: int, data_size: int) -> bytes:
    """A RIFF header that says what it is told to, true or not."""
    block = channels * bits // 8
    words = [(16, 4), (codec, 2), (channels, 2), (rate, 4), (rate * block, 4), (block, 2), (bits, 2)]
    fmt = b"".join((value % 256**size).to_bytes(size, "little") for value, size in words)
    riff_size = (data_size + 36) % 2**32
    return b"RIFF" + riff_size.to_bytes(4, "little") + b"WAVEfmt " + fmt + b"data" + data_size.to_bytes(4, "little")


def _quantised(channels: Samples, sample_format: str) -> NDArray[Any]:
    """The samples as FFmpeg's `sample_format` holds them: (channels, time) when planar, else (1, time * channels)."""
    base = sample_format.removesuffix("p")
    planar = channels if sample_format.endswith("p") else channels.T.reshape(1, -1)
    if base in ("flt", "dbl"):
        return np.ascontiguousarray(planar, np.float32 if base == "flt" else np.float64)
    bits = {"u8": 8, "s16": 16, "s32": 32}[base]
    steps = np.clip(np.rint(planar * 2.0 ** (bits - 1)), -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    return np.ascontiguousarray((steps + 128).astype(np.uint8) if base == "u8" else steps.astype(f"int{bits}"))
