"""Image files: decoded at a bounded cost, or one typed error."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from app.images import MAX_PIXELS, decode_image
from models.errors import UndecodableImage
from tests.fake_encoder import drawn


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_the_usual_formats(format: str) -> None:
    image, name = decode_image(drawn("dog", format, (12, 8)))

    assert (image.size, image.mode, name) == ((12, 8), "RGB", format.lower())


@pytest.mark.parametrize(
    ("mode", "unified"), [("1", "RGB"), ("L", "RGB"), ("P", "RGB"), ("LA", "RGBA"), ("RGBA", "RGBA")]
)
def test_modes_are_unified_and_transparency_is_kept(mode: str, unified: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (4, 4)).save(buffer, "PNG")

    assert decode_image(buffer.getvalue())[0].mode == unified


def test_a_photograph_is_turned_upright() -> None:
    buffer = io.BytesIO()
    photograph = Image.new("RGB", (12, 8))
    photograph.getexif()[0x0112] = 6
    photograph.save(buffer, "JPEG", exif=photograph.getexif())

    assert decode_image(buffer.getvalue())[0].size == (8, 12)


IDAT = struct.pack(">I", 10) + b"IDAT"


def png_header(width: int, height: int) -> bytes:
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))


def test_a_huge_image_is_refused_by_its_header() -> None:
    assert MAX_PIXELS < 8_000 * 8_000
    with pytest.raises(UndecodableImage, match="8000 x 8000"):
        decode_image(png_header(8_000, 8_000) + IDAT)
    with pytest.raises(UndecodableImage):
        decode_image(png_header(60_000, 60_000) + IDAT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no image",
        png_header(4, 4),
        drawn("dog")[:45],
        drawn("dog", "JPEG", (64, 64))[:300],
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"II*\x00\x08\x00\x00\x00",
    ],
)
def test_everything_else_is_one_error(data: bytes) -> None:
    with pytest.raises(UndecodableImage):
        decode_image(data)
