"""What FFmpeg believes too much: small files that ask for gigabytes, found before it reads them.

It sets memory aside, and fills it, for as much as a table announces. Everything is looked for everywhere in the bytes,
whatever the file seems to be, so that no nesting or disguise hides it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from models.errors import UndecodableAudio

MAX_MP4_SAMPLES = 1 << 20  # six hours of AAC; each costs FFmpeg about 36 bytes
TABLES = (b"LIST", b"trun", b"stsz", b"stz2")
MAX_TABLES = 100_000  # names of tables: in a gigabyte of sound, there is one by chance
MATROSKA_TRACKS = bytes.fromhex("1654ae6b")
MATROSKA_COMPRESSION = [
    bytes.fromhex(name) for name in ("6d80", "6240", "5034")
]  # elements, each inside the one before
MAX_MATROSKA_TRACKS = 16  # lists of tracks, where one is normal


def defused(data: bytes) -> bytes:
    """The file, with every table that announces more than it can hold renamed, so that nobody reads it.

    Where sound happens to spell one, four bytes of it are lost. Raises UndecodableAudio for packets that inflate, and
    for more tables than could be looked at in little time.
    """
    if _inflates(data):
        raise UndecodableAudio("audio in compressed Matroska tracks is not read here")
    if sum(map(data.count, TABLES)) > MAX_TABLES:
        raise UndecodableAudio(f"a file of more than {MAX_TABLES:,} tables is not read here")
    return _renamed(data, _oversized_tables(data))


def _oversized_tables(data: bytes) -> list[int]:
    oversized, mp4_samples = [], 0
    for at in sorted(chain.from_iterable(_places(name, data) for name in TABLES)):
        name = data[at : at + 4]
        if name == b"LIST":  # of a WAV's tags
            too_many = int.from_bytes(data[at + 4 : at + 8], "little") > len(data) - at
        else:
            count = at + (8 if name == b"trun" else 12)
            mp4_samples += int.from_bytes(data[count : count + 4], "big")
            too_many = mp4_samples > MAX_MP4_SAMPLES
        if too_many:
            oversized.append(at)
    return oversized


def _places(name: bytes, data: bytes) -> Iterator[int]:
    """One name at a time: a search for several at once takes forty times as long."""
    at = data.find(name)
    while at >= 0:
        yield at
        at = data.find(name, at + len(name))


def _renamed(data: bytes, places: list[int]) -> bytes:
    """The bytes, with names at these places that mean nothing in any container."""
    if not places:
        return data
    safe = bytearray(data)
    for at in places:
        safe[at : at + 4] = b"skip"
    return bytes(safe)


def _inflates(data: bytes) -> bool:
    """Whether a Matroska file compresses its packets once more, as no recorder does: each may unpack to 10 MB."""
    if data.count(MATROSKA_TRACKS) > MAX_MATROSKA_TRACKS:
        return True
    tracks = [at + len(MATROSKA_TRACKS) for at in _places(MATROSKA_TRACKS, data)]
    return any(_names_compression(data, start, _ebml_end(data, start)) for start in tracks)


def _names_compression(data: bytes, start: int, end: int) -> bool:
    for name in MATROSKA_COMPRESSION:
        start = data.find(name, start, end)
        if start < 0:
            return False
    return True


def _ebml_end(data: bytes, start: int) -> int:
    """Where an element ends whose length is written at `start`, the end of the file if the length is left open."""
    first = data[start : start + 1]
    width = 9 - first[0].bit_length() if first else 1
    unknown = (1 << 7 * width) - 1
    length = int.from_bytes(data[start : start + width], "big") & unknown
    return len(data) if length == unknown else start + width + length
