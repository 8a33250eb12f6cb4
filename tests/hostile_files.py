"""Files that somebody has damaged, and audio that is made to cost much."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Mapping

import numpy as np

from tests.audio_files import encode, tone, wav_header

HEAD = 300
"""Bytes in which most of a header is."""
# In front of a number in one of the containers: a size, a count, a rate.
MARKS = tuple(
    mark.encode("latin-1")
    for mark in re.split(
        r" +",
        "RIFF fmt data LIST fLaC OggS OpusHead vorbis FORM COMM SSND ID3 Xing Info "
        "ftyp moov mvhd mdhd stsd stsz stsc stts stco esds alac trun trex moof mdat mfhd tfhd "
        "\x1a\x45\xdf\xa3 \x18\x53\x80\x67 \x16\x54\xae\x6b \x1f\x43\xb6\x75 "
        "IHDR IDAT tRNS PLTE acTL VP8 VP8X Exif \xff\xc0 \xff\xc2 \xff\xda",
    )
)
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_0000)


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut off, bits flipped anywhere or in the header, extremes there, a field that lies, a piece lost or moved."""
    damaged = bytearray(data)
    match rng.integers(6):
        case 0:
            return data[: rng.integers(len(data))]
        case 1:
            flip_bits(damaged, rng, len(damaged))
        case 2:
            flip_bits(damaged, rng, min(HEAD, len(damaged)))
        case 3:
            for place in rng.integers(min(HEAD, len(damaged)), size=rng.integers(1, 20)):
                damaged[place] = rng.choice([0x00, 0x7F, 0x80, 0xFF])
        case 4:
            tell_a_lie(damaged, rng)
        case _:
            start, end = sorted(rng.integers(len(damaged), size=2))
            return data[:start] + data[end:] if rng.random() < 0.5 else data[:end] + data[start:]
    return bytes(damaged)


def flip_bits(data: bytearray, rng: np.random.Generator, within: int) -> None:
    for place in rng.integers(within, size=rng.integers(1, 30)):
        data[place] ^= 1 << rng.integers(8)


def tell_a_lie(data: bytearray, rng: np.random.Generator) -> None:
    """Put an extreme number, of either byte order, behind the name of a field."""
    places = [at + len(mark) for mark in MARKS if (at := data.find(mark)) >= 0] or [0]
    at = places[rng.integers(len(places))] + int(rng.integers(24))
    width = 1 << int(rng.integers(4))
    number = EXTREMES[rng.integers(len(EXTREMES))] % (1 << 8 * width)
    data[at : at + width] = number.to_bytes(width, "big" if rng.random() < 0.5 else "little")


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


def countless(name: bytes) -> bytes:
    """The name of a table again and again: each would be looked at."""
    return b"RIFF\0\0\0\0WAVE" + name * (10 << 18)


BOMBS: Mapping[str, Callable[[], bytes]] = {
    "mp4 fragment": endless_fragment,
    "mp4 chunk": endless_chunk,
    "wav tag": huge_tag,
    "mp3 in zlib": lambda: inflating(b"A_MPEG/L3"),
    "opus in zlib": lambda: inflating(b"A_OPUS", OPUS_HEAD),
    "small packets": many_small_packets,
    "tiny frames": tiny_frames,
    "wav tags": lambda: countless(b"LIST"),
    "mp4 fragments": lambda: countless(b"trun"),
    "lists of tracks": lambda: countless(bytes.fromhex("1654ae6b")),
}
