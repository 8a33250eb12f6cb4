"""Audio in: the bytes of a file of any usual kind become mono samples at 16 kHz.

Uploads are hostile until shown otherwise, so the cost is bounded by what is allowed, never by what a file says of
itself: samples are counted while they are decoded, and resampled as they come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from models.audio.media import Media, opened
from models.audio.plain import PlainWav, plain_wav
from models.audio.resample import Resampler, gathered, mono
from models.errors import AudioTooLong, AudioTooShort, NonFiniteAudio, SilentAudio, UndecodableAudio

SAMPLE_RATE = 16_000  # Hz, of everything that follows
MIN_SECONDS = 0.1
MAX_CHANNELS = 32
MAX_PLANES = 8  # PyAV looks for the end of longer lists of planes beyond their memory
MIN_RATE, MAX_RATE = 1_000, 384_000  # Hz
MAX_PACKETS_PER_SECOND = 1_000  # the shortest packets in real use are 2.5 ms of Opus
SILENCE = 2.0**-15  # one step of 16-bit audio
ROUNDING_S = 1e-6


@dataclass(frozen=True)
class Waveform:
    """Decoded audio.

    `samples`: float32 (time,), mono, 16 kHz, finite, within [-1, 1].
    `format`: the container as sniffed from the bytes: "wav", "flac", "mp3", "ogg", "webm", "mp4", "aac" or "aiff".
    `truncated`: the file broke off or is damaged, and what could be decoded is here. Recordings that never say how
    long they are, as browsers make them, are not caught at this when they end between two packets.
    """

    samples: NDArray[np.float32]
    format: str
    truncated: bool

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def decode(data: bytes, max_seconds: float = 30.0) -> Waveform:
    """Decode wav, flac, mp3, ogg, webm, mp4/m4a, aac or aiff; which of them it is, is read from the bytes.

    Channels are averaged. Raises a subclass of `AudioError` for anything that cannot be used, after time and memory
    that depend on `max_seconds` and the number of bytes only.
    """
    plain = plain_wav(data)
    if plain is not None and MIN_RATE <= plain.rate <= MAX_RATE:
        return _converted(plain, max_seconds)
    with opened(data) as media:
        samples, seconds = _read(media, max_seconds)
        return Waveform(samples, media.format, media.broke_off(seconds))


def decode_at_once(data: bytes, max_seconds: float) -> Waveform | None:
    """As `decode`, for a file that takes less time than handing it to a thread; None for every other.

    That is a plain WAV which has the right rate already. No library is trusted with its bytes.
    """
    plain = plain_wav(data)
    return None if plain is None or plain.rate != SAMPLE_RATE else _converted(plain, max_seconds)


def _converted(wav: PlainWav, max_seconds: float) -> Waveform:
    if wav.seconds > max_seconds + ROUNDING_S:
        raise AudioTooLong(_too_long(max_seconds, wav.seconds))
    resampler = Resampler(SAMPLE_RATE)
    resampler.push(wav.mono(), wav.rate)
    samples = audible(np.clip(resampler.finish(), -1.0, 1.0), wav.seconds)
    return Waveform(samples, "wav", truncated=False)


def _read(media: Media, max_seconds: float) -> tuple[NDArray[np.float32], float]:
    """The samples, and how many seconds of audio they were made from."""
    resampler, seconds = Resampler(SAMPLE_RATE), 0.0
    for group in gathered(_allowed(media, max_seconds)):
        rate = group[0].sample_rate
        for frame in group:
            seconds += frame.samples / rate
        resampler.push(_finite(mono(group), seconds), rate)
    if not seconds and media.damaged:
        raise UndecodableAudio("nothing in this file could be decoded")
    return audible(np.clip(resampler.finish(), -1.0, 1.0), seconds), seconds


def _allowed(media: Media, max_seconds: float) -> Iterator[AudioFrame]:
    """The frames, counted before their samples are touched: one of them can hold hours."""
    seconds = 0.0
    for frame in media.frames(max_packets=int(MAX_PACKETS_PER_SECOND * (max_seconds + 1))):
        _check_shape(frame)
        seconds += frame.samples / frame.sample_rate
        if seconds > max_seconds + ROUNDING_S:
            raise AudioTooLong(_too_long(max_seconds, media.declared_seconds))
        yield frame


def _check_shape(frame: AudioFrame) -> None:
    channels, rate = frame.layout.nb_channels, frame.sample_rate
    most = MAX_PLANES if frame.format.is_planar else MAX_CHANNELS
    if not 1 <= channels <= most:
        raise UndecodableAudio(f"the audio has {channels} channels; 1 to {most} are read in this coding")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UndecodableAudio(f"the sample rate is {rate} Hz; {MIN_RATE} to {MAX_RATE} Hz are read")


def _too_long(allowed: float, declared: float | None) -> str:
    says = f"; it says it is {declared:.1f} s long" if declared is not None and declared > allowed else ""
    return f"the audio is longer than the {allowed:g} s that are allowed{says}"


def _finite(samples: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    if not np.isfinite(samples).all():
        raise NonFiniteAudio(f"samples before {seconds:.3f} s are infinite or no numbers")
    return samples


def audible(samples: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
    """The samples of so many seconds, (time,), unless they are too few or silent: `AudioTooShort`, `SilentAudio`."""
    if seconds < MIN_SECONDS - ROUNDING_S:
        raise AudioTooShort(f"the audio is {seconds:.3f} s long; at least {MIN_SECONDS:g} s are needed")
    if np.abs(samples).max(initial=0.0) < SILENCE:
        raise SilentAudio(f"there is nothing but silence in these {seconds:.1f} s of audio")
    return samples
