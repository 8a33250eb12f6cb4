"""Media files as a stream of audio frames, read from memory through PyAV with nearly all of FFmpeg shut off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from models.audio.containers import is_wav, mp3_counts_frames, ogg_page_is_cut, wav_has_no_length
from models.audio.defuse import defused
from models.errors import NoAudioStream, UndecodableAudio

# FFmpeg's demuxers, and what their containers are called here. The rest stay shut: some open other files and sockets.
FORMATS = {
    "wav": "wav",
    "flac": "flac",
    "mp3": "mp3",
    "ogg": "ogg",
    "matroska,webm": "webm",
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
    "aac": "aac",
    "aiff": "aiff",
}
CODECS = (
    *("aac", "alac", "flac", "mp3", "mp3float", "opus", "libopus", "vorbis", "adpcm_ima_wav", "adpcm_ms"),
    *("pcm_alaw", "pcm_mulaw", "pcm_s8", "pcm_u8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"),
    *("pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be"),
)
OPTIONS = {
    "format_whitelist": ",".join(FORMATS),
    "codec_whitelist": ",".join(CODECS),
    "protocol_whitelist": "none",
    "advanced_editlist": "0",  # an MP4 edit list can repeat the whole index any number of times
    "probesize": str(1 << 19),  # bytes read in search of streams: a header of tiny packets costs seconds otherwise
}
# All that is to be known of a WAV's stream is in its header; FFmpeg would read packets in search of more.
WAV_OPTIONS = {**OPTIONS, "max_probe_packets": "1"}
MISSING_S = 0.1  # of the declared length, before a file counts as broken off


@contextmanager
def opened(data: bytes) -> Iterator[Media]:
    """The audio of a file, from its bytes. Raises UndecodableAudio or NoAudioStream."""
    safe = BytesIO(defused(data))
    try:
        container = av.open(safe, "r", container_options=WAV_OPTIONS if is_wav(data) else OPTIONS)
    # Broken headers end in FFmpeg errors, but in ValueError, IndexError and more as well: PyAV names no common base.
    except Exception as error:
        kinds = ", ".join(FORMATS.values())
        raise UndecodableAudio(f"these {len(data)} bytes are no readable audio file ({kinds})") from error
    with container:
        yield Media(container, data)


class Media:
    """The audio of one open container.

    `format`: what the container is called, a value of FORMATS.
    `damaged`: whether anything met so far could not be decoded, or broke off.
    `declared_seconds`: how long the file says its audio is; None where it says nothing, or FFmpeg guesses.
    """

    def __init__(self, container: InputContainer, data: bytes) -> None:
        stream = container.streams.best("audio")
        if stream is None:
            raise NoAudioStream("there is no audio in this file")
        self._container = container
        self._data = data
        self._stream = cast(AudioStream, stream)
        self.format = FORMATS[container.format.name]
        self.damaged = self.format == "ogg" and ogg_page_is_cut(data)
        self.declared_seconds = self._declared_seconds()

    def frames(self, max_packets: int) -> Iterator[AudioFrame]:
        """Decode packet by packet, past damaged ones as every player does. Raises UndecodableAudio."""
        self._open_codec()
        packets, size = self._container.demux(self._stream), 0
        for _ in range(max_packets):
            # Damage shows as FFmpeg errors of many kinds, ValueError or MemoryError, in the container or in a packet.
            try:
                packet = next(packets, None)
            except Exception:
                self.damaged = True
                return
            if packet is None:
                return
            size += packet.size
            if size > 2 * len(self._data):
                raise UndecodableAudio(f"the packets in these {len(self._data)} bytes expand to more than {size} bytes")
            self.damaged |= packet.is_corrupt and not self._has_open_end()
            try:
                decoded = packet.decode()
            except Exception:
                self.damaged = True
                continue
            yield from decoded
        raise UndecodableAudio(f"the audio is cut into more than {max_packets} packets")

    def broke_off(self, seconds: float) -> bool:
        """Whether `seconds` of audio, all that `frames` gave, are not all that was in the file."""
        return self.damaged or (self.declared_seconds or 0.0) - seconds > MISSING_S

    def _open_codec(self) -> None:
        # Where FFmpeg has no decoder there is no context, whatever PyAV's annotations say.
        name = getattr(self._stream.codec_context, "name", "something unknown")
        if name not in CODECS:
            raise UndecodableAudio(f"audio coded as {name} is not read here")
        # Once and here: a decoder that does not open would be tried again with each packet.
        try:
            self._stream.codec_context.open(strict=False)
        except Exception as error:
            raise UndecodableAudio(f"this {name} audio starts with a broken header") from error

    def _has_open_end(self) -> bool:
        """Whether the last packet may be shorter than announced, because nothing is known about the end."""
        return self.format == "wav" and wav_has_no_length(self._data)

    def _declared_seconds(self) -> float | None:
        stream, container = self._stream, self._container
        guessed = self.format == "aac" or (self.format == "mp3" and not mp3_counts_frames(self._data))
        if guessed or self._has_open_end():
            return None
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        if container.duration is not None and len(container.streams) == 1:
            return container.duration / av.time_base
        return None
