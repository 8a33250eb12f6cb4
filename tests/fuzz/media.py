"""Files: audio of every container and images of every format, nearly all of them damaged; and files that cost much."""

from __future__ import annotations

import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image

from tests.audio_files import KINDS, encode, film_without_sound, tone, wav_header
from tests.fuzz.requests import Rng, pick
from tests.hostile_files import BOMBS, mutate
from tests.image_files import drawings, saved

GOOD = 0.1
"""Share of the files that nothing is done to."""
RARE = 0.02
"""Share of those that are made to cost much: they are large."""


def audio(rng: Rng) -> bytes:
    return _damaged(rng, _audio(), _audio_bombs())


def image(rng: Rng) -> bytes:
    return _damaged(rng, _images(), _image_bombs())


def _damaged(rng: Rng, files: list[bytes], bombs: list[bytes]) -> bytes:
    chance = rng.random()
    if chance < RARE:
        return pick(rng, bombs)
    data = pick(rng, files)
    if chance < RARE + GOOD:
        return data
    if chance > 0.98:
        return data[: int(rng.integers(400))] + rng.bytes(int(rng.integers(4000)))
    for _ in range(int(rng.integers(1, 4))):
        data = mutate(data, rng) or data
    return data


@cache
def _audio() -> list[bytes]:
    """One of every kind and number of channels; long enough for more than one page of Ogg."""
    rng = np.random.default_rng(11)
    return [
        encode(_noisy(1.2 if how.container == "ogg" else 0.4, rate, channels, rng), rate, kind)
        for kind, how in KINDS.items()
        for rate in how.rates
        for channels in how.channels
    ]


def _noisy(seconds: float, rate: int, channels: int, rng: Rng) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return tone(seconds, rate, channels=channels) + rng.normal(0, 0.1, (channels, round(seconds * rate)))


@cache
def _audio_bombs() -> list[bytes]:
    long = [encode(np.zeros(120 * 8_000), 8_000, kind) for kind in ("flac-16", "ogg-opus", "m4a", "mp3")]
    empty = wav_header(codec=1, channels=65_535, rate=2**32 - 1, bits=65_535, data_size=2**32 - 1)
    return [*(make() for make in BOMBS.values()), *long, empty, film_without_sound(), b"", b"\0" * 100_000]


@cache
def _images() -> list[bytes]:
    return list(drawings().values())


@cache
def _image_bombs() -> list[bytes]:
    flat = Image.new("1", (6_000, 6_000))
    jpeg = saved(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    last_pass = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return [
        saved(flat, "PNG"),
        saved(Image.new("1", (9_000, 9_000)), "PNG"),
        _png(60_000, 60_000),
        _png(2**31 - 1, 2**31 - 1),
        _png(0, 0),
        _png(8, 8, b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9)),
        _png(8, 8, b"iCCP", b"a\0\0" + zlib.compress(bytes(50_000_000), 9)),
        jpeg[:-2] + 2_000 * last_pass + jpeg[-2:],
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
        b"BM" + struct.pack("<IIIIiiHHIIIIII", 54, 0, 54, 40, 2**31 - 1, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0),
        saved(flat.resize((3_000, 3_000)).convert("RGB"), "WEBP"),
    ]


def _png(width: int, height: int, name: bytes = b"tEXt", content: bytes = b"a\0b") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (name, content), (b"IDAT", zlib.compress(bytes(1_000))), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
