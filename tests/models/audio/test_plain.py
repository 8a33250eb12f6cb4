"""Plain WAV files are read without FFmpeg, as FFmpeg would read them."""

from __future__ import annotations

import struct
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audio import Waveform, decode, decode_at_once
from models.audio.plain import plain_wav
from models.errors import AudioError, AudioTooLong, SilentAudio
from tests.audio_files import KINDS, encode, tone


def wav(samples: bytes, channels: int = 1, rate: int = 16_000, before: bytes = b"", after: bytes = b"") -> bytes:
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, 2 * channels * rate, 2 * channels, 16)
    body = fmt + before + struct.pack("<4sI", b"data", len(samples)) + samples + after
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def noise(count: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(-32_768, 32_768, count).astype("<i2").tobytes()


def by_ffmpeg(data: bytes) -> Waveform:
    with patch("models.audio.plain_wav", lambda data: None):
        return decode(data)


@given(
    channels=st.integers(1, 2),
    rate=st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]),
    count=st.integers(6_000, 20_000),
    before=st.sampled_from([b"", chunk(b"LIST", b"INFOISFT\x03\0\0\0abc"), chunk(b"fact", b"\0\0\0\0")]),
    after=st.sampled_from([b"", chunk(b"LIST", b"INFO"), b"rubbish"]),
)
@settings(max_examples=40, deadline=None)
def test_what_it_reads_is_what_ffmpeg_reads(channels: int, rate: int, count: int, before: bytes, after: bytes) -> None:
    data = wav(noise(count * channels), channels, rate, before, after)
    assert plain_wav(data) is not None

    ours, theirs = decode(data), by_ffmpeg(data)
    assert (ours.format, ours.truncated) == (theirs.format, theirs.truncated) == ("wav", False)
    np.testing.assert_array_equal(ours.samples, theirs.samples)


@given(cut=st.integers(0, 4_100), place=st.integers(0, 60), byte=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_of_damaged_files_it_reads_what_ffmpeg_reads(cut: int, place: int, byte: int) -> None:
    """Wherever it takes a file for a plain one, the answer is the same."""
    data = bytearray(wav(noise(2_000), before=chunk(b"LIST", b"INFO"))[:cut])
    if place < len(data):
        data[place] = byte
    try:
        theirs = by_ffmpeg(bytes(data))
    except AudioError as error:
        with pytest.raises(type(error)):
            decode(bytes(data))
    else:
        np.testing.assert_array_equal(decode(bytes(data)).samples, theirs.samples)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"wav-16"}))
def test_every_other_file_is_left_to_ffmpeg(kind: str) -> None:
    rate, channels = KINDS[kind].rates[0], KINDS[kind].channels[0]

    assert plain_wav(encode(tone(0.2, rate, channels=channels), rate, kind)) is None


@pytest.mark.parametrize(
    "data",
    [
        wav(b""),
        wav(noise(300), channels=3),
        wav(noise(300), rate=0),
        wav(noise(300))[:-1],
        wav(noise(300), after=chunk(b"data", noise(10))),
        wav(noise(300), before=20 * chunk(b"LIST", b"INFO")),
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\0\0\0\0WAVEdata\x04\0\0\0\1\2\3\4",
    ],
    ids=["empty", "three channels", "no rate", "cut", "two of data", "many chunks", "nothing", "no layout"],
)
def test_whatever_is_odd_is_left_to_ffmpeg(data: bytes) -> None:
    assert plain_wav(data) is None


def test_at_once_is_what_needs_no_thread() -> None:
    """Of the right rate already, and of an allowed length; the answer is that of `decode`."""
    data = wav(noise(32_000))
    found = decode_at_once(data, max_seconds=30.0)

    assert found is not None
    np.testing.assert_array_equal(found.samples, decode(data).samples)
    assert decode_at_once(wav(noise(32_000), rate=44_100), max_seconds=30.0) is None
    assert decode_at_once(encode(tone(0.5, 48_000), 48_000, "ogg-opus"), max_seconds=30.0) is None
    with pytest.raises(AudioTooLong):
        decode_at_once(data, max_seconds=1.0)
    with pytest.raises(SilentAudio):
        decode_at_once(wav(bytes(32_000)), max_seconds=1.0)


def test_its_samples_are_a_view_and_are_counted_before_they_are_touched() -> None:
    data = wav(noise(32_000))
    found = plain_wav(data)

    assert found is not None
    assert not found.samples.flags.owndata
    with pytest.raises(AudioTooLong, match=r"longer than the 1 s that are allowed; it says it is 2.0 s long"):
        decode(data, max_seconds=1.0)
