"""Files made to break the decoder, to cost it much, or to make it do something else than decode.

`HOSTILE_FILES=100000` in the environment mutates that many files in place of the default.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.audio import decode
from models.errors import AudioError, AudioTooLong, UndecodableAudio
from tests.audio_files import KINDS, encode, tone, wav_header

MUTATIONS = int(os.environ.get("HOSTILE_FILES", "3000"))
SHARES = 8
ROOT = Path(__file__).parents[2]


@contextmanager
def processor_seconds(at_most: float) -> Iterator[None]:
    """Time of this process: what else the machine does is not counted."""
    start = time.process_time()
    yield
    assert time.process_time() - start < at_most


def speech_like(seconds: float, rate: int, channels: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(11)
    return tone(seconds, rate, channels=channels) + rng.normal(0, 0.1, (channels, round(seconds * rate)))


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """One of every kind; long enough for more than one page of Ogg."""
    return [
        encode(speech_like(1.2 if how.container == "ogg" else 0.4, rate, channels), rate, kind)
        for kind, how in KINDS.items()
        for rate in how.rates
        for channels in how.channels
    ]


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut off, bits flipped anywhere or in the header, extreme bytes in the header, or a piece lost or moved."""
    damaged = bytearray(data)
    match rng.integers(5):
        case 0:
            return data[: rng.integers(len(data))]
        case 1:
            flip_bits(damaged, rng, len(damaged))
        case 2:
            flip_bits(damaged, rng, min(300, len(damaged)))
        case 3:
            for place in rng.integers(min(300, len(damaged)), size=rng.integers(1, 20)):
                damaged[place] = rng.choice([0x00, 0x7F, 0x80, 0xFF])
        case _:
            start, end = sorted(rng.integers(len(damaged), size=2))
            return data[:start] + data[end:] if rng.random() < 0.5 else data[:end] + data[start:]
    return bytes(damaged)


def flip_bits(data: bytearray, rng: np.random.Generator, within: int) -> None:
    for place in rng.integers(within, size=rng.integers(1, 30)):
        data[place] ^= 1 << rng.integers(8)


def is_sound_or_refused(data: bytes) -> bool:
    """Whether the bytes give what `Waveform` promises, or an AudioError with a message; other errors pass through."""
    try:
        wave = decode(data)
    except AudioError as error:
        return bool(str(error))
    samples = wave.samples
    return bool(
        samples.dtype == np.float32
        and np.isfinite(samples).all()
        and np.abs(samples).max() <= 1.0
        and 0.09 < wave.seconds < 30.1
        and wave.format in {how.sniffed for how in KINDS.values()}
    )


@pytest.mark.parametrize("seed", range(SHARES))
def test_mutated_files_of_every_kind_give_sound_or_a_typed_error_in_bounded_time(seed: int, files: list[bytes]) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(MUTATIONS // SHARES):
        data = mutate(files[rng.integers(len(files))], rng)
        with processor_seconds(at_most=1.0):
            assert is_sound_or_refused(data)


@given(data=st.binary(max_size=2_000), kept=st.integers(1, 2_000), which=st.integers(0))
@settings(max_examples=300, deadline=None, database=None, derandomize=True)
def test_anything_after_a_good_start_gives_sound_or_a_typed_error(
    files: list[bytes], data: bytes, kept: int, which: int
) -> None:
    assert is_sound_or_refused(files[which % len(files)][:kept] + data)


def test_random_bytes_are_refused_quickly() -> None:
    with processor_seconds(at_most=2.0), pytest.raises(UndecodableAudio):
        decode(np.random.default_rng(5).bytes(10 << 20))


@pytest.mark.parametrize("kind", ["flac-16", "ogg-opus", "webm-live", "m4a", "mp3", "wav-u8"])
def test_minutes_of_silence_cost_what_the_allowed_seconds_cost(kind: str) -> None:
    minutes = encode(np.zeros(300 * 8_000), 8_000, kind)
    with processor_seconds(at_most=0.5), pytest.raises(AudioTooLong, match="longer than the 30 s"):
        decode(minutes)


@pytest.mark.parametrize("channels", [0, 33, 255, 65_535])
@pytest.mark.parametrize("rate", [0, 1, 999, 16_000, 384_001, 2**31 - 1, 2**32 - 1])
def test_channels_and_rates_that_nobody_has_are_refused(channels: int, rate: int) -> None:
    sound = np.random.default_rng(1).bytes(1 << 18)
    with processor_seconds(at_most=1.0), pytest.raises(AudioError):
        decode(wav_header(codec=1, channels=channels, rate=rate, bits=16, data_size=len(sound)) + sound)


def test_a_sample_rate_that_changes_all_the_time_is_refused() -> None:
    pieces = [encode(tone(0.05, rate), rate, "aac") for rate in (44_100, 48_000)]
    with processor_seconds(at_most=2.0), pytest.raises(UndecodableAudio, match="changes more than 100 times"):
        decode(b"".join(pieces) * 100)


PLAYLISTS = {
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=audio {port} RTP/AVP 0\na=rtpmap:0 PCMU/8000\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "hls of a local file": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{local}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{local}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>http://127.0.0.1:{port}/</BaseURL></Representation></AdaptationSet></Period></MPD>',
}


@pytest.mark.parametrize("playlist", PLAYLISTS.values(), ids=PLAYLISTS)
def test_a_list_of_other_places_is_refused_at_once_and_nothing_is_opened(playlist: str, tmp_path: Path) -> None:
    local = tmp_path / "secret.wav"
    local.write_bytes(encode(tone(1.0, 16_000), 16_000, "wav-16"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        text = playlist.format(port=server.getsockname()[1], local=local)
        start = time.monotonic()
        with pytest.raises(UndecodableAudio, match="no readable audio file"):
            decode(text.encode())
        assert time.monotonic() - start < 1.0  # an RTP session would be waited for, for seconds
        with pytest.raises(BlockingIOError):
            server.accept()


# Small files that ask for a lot of memory or time: none may take 200 MB, or a second.


def announcing(kind: str, table: bytes, at: int, value: int) -> bytes:
    """A file of `kind` with a number in one of its tables replaced."""
    data = bytearray(encode(tone(1.0, 44_100), 44_100, kind))
    place = data.find(table) + at
    data[place : place + 4] = struct.pack(">I", value)
    return bytes(data)


def endless_fragment() -> bytes:
    """A fragment of 2^26 packets that all have the default size: no byte of the file has to describe them."""
    data = bytearray(announcing("m4a-fragmented", b"trun", 8, 1 << 26))
    place = data.find(b"trun")
    data[place + 4 : place + 8] = struct.pack(">I", 1)
    return bytes(data)


def endless_chunk() -> bytes:
    """One chunk of 2^26 packets of one byte."""
    data = bytearray(announcing("m4a", b"stsz", 8, 1))
    sizes, chunks = data.find(b"stsz"), data.find(b"stsc")
    data[sizes + 12 : sizes + 16] = struct.pack(">I", 1 << 26)
    data[chunks + 16 : chunks + 20] = struct.pack(">I", 1 << 26)
    return bytes(data)


def huge_tag() -> bytes:
    tags = b"LIST" + struct.pack("<I", 0x7FFF_FFF0) + b"INFOIART" + struct.pack("<I", 0x7FFF_FF00)
    header = wav_header(codec=1, channels=1, rate=16_000, bits=16, data_size=3_200)
    return header[:-8] + tags + header[-8:] + bytes(3_200)


def element(name: str, body: bytes) -> bytes:
    return bytes.fromhex(name) + (len(body) | 1 << 56).to_bytes(8, "big") + body


def matroska(codec: bytes, packets: list[bytes], encodings: bytes = b"", private: bytes = b"") -> bytes:
    sound = element("b5", struct.pack(">d", 48_000)) + element("9f", b"\1") + element("6264", b"\x10")
    track = element("d7", b"\1") + element("73c5", b"\1") + element("83", b"\2") + element("86", codec)
    track += element("e1", sound) + element("63a2", private) + encodings
    blocks = b"".join(element("a3", b"\x81\0\0\x80" + packet) for packet in packets)
    tracks, cluster = element("1654ae6b", element("ae", track)), element("1f43b675", element("e7", b"\0") + blocks)
    return element("1a45dfa3", element("4282", b"matroska")) + element("18538067", tracks + cluster)


ZLIB = element("6d80", element("6240", element("5034", element("4254", b"\0"))))
OPUS_HEAD = b"OpusHead\1\1" + struct.pack("<HIHB", 0, 48_000, 0, 0)


def inflating(codec: bytes, private: bytes = b"") -> bytes:
    """200 packets that unpack to 9 MB each."""
    return matroska(codec, [zlib.compress(bytes(9_000_000), 9)] * 200, ZLIB, private)


def many_small_packets() -> bytes:
    return matroska(b"A_AAC", [b"\0"] * 200_000, private=b"\x12\x10")


def tiny_frames() -> bytes:
    """A megabyte of AAC frames that hold nothing but their header."""
    return b"\xff\xf1\x50\x80\x01\x1f\xfc\x00" * (1 << 17)


BOMBS = {
    "mp4 fragment": endless_fragment,
    "mp4 chunk": endless_chunk,
    "wav tag": huge_tag,
    "mp3 in zlib": lambda: inflating(b"A_MPEG/L3"),
    "opus in zlib": lambda: inflating(b"A_OPUS", OPUS_HEAD),
    "small packets": many_small_packets,
    "tiny frames": tiny_frames,
}

# In a process of its own, because the peak of a process's memory never falls again.
MEASURE = """
import pathlib, resource, sys, time
from models.audio import decode
from models.errors import AudioError
from tests.audio_files import encode, tone
decode(encode(tone(1.0, 44_100), 44_100, "m4a"))
data = pathlib.Path(sys.argv[1]).read_bytes()
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    decode(data)
except AudioError:
    pass
print(time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_small_files_that_ask_for_much_get_little(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[bomb]())
    command = [sys.executable, "-c", MEASURE, str(path)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds < 1.0
    assert megabytes < 200
