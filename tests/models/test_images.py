"""Image files: decoded at a bounded cost, or one typed error."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from models.errors import UndecodableImage
from models.images import KEPT_PIXELS, MAX_PIXELS, decode_image
from tests.fake_encoder import drawn


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_the_usual_formats(format: str) -> None:
    image, name = decode_image(drawn("dog", format, (12, 8)))

    assert (image.size, name) == ((12, 8), format.lower())


def test_a_photograph_with_more_behind_it_is_a_jpeg() -> None:
    """As phones with two cameras take them."""
    target, photos = io.BytesIO(), [Image.new("RGB", (12, 8), colour) for colour in ("red", "blue")]
    photos[0].save(target, "MPO", save_all=True, append_images=photos[1:])

    image, name = decode_image(target.getvalue())
    assert (image.size, name) == ((12, 8), "jpeg")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_the_pixels_are_left_to_the_model(mode: str) -> None:
    """It knows how to put what is transparent on white, and 16 bits into 8; so there is one way to do it."""
    image = Image.new(mode, (4, 4))

    decoded, _ = decode_image(png(image))

    assert (decoded.mode, decoded.tobytes()) == (mode, image.tobytes())


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(3000, 1500), (1, 2_100_000)])
def test_a_large_image_is_made_smaller(mode: str, size: tuple[int, int]) -> None:
    decoded, _ = decode_image(png(Image.new(mode, size)))

    width, height = decoded.size
    assert (decoded.mode, width * height <= KEPT_PIXELS or width == 1) == (mode, True)
    assert width / height == pytest.approx(size[0] / size[1], rel=0.05)


def test_a_photograph_is_turned_upright() -> None:
    buffer = io.BytesIO()
    photograph = Image.new("RGB", (12, 8))
    photograph.getexif()[0x0112] = 6
    photograph.save(buffer, "JPEG", exif=photograph.getexif())

    assert decode_image(buffer.getvalue())[0].size == (8, 12)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


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


def jpeg(size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, 128).save(buffer, "JPEG", progressive=True)
    return buffer.getvalue()


def test_an_image_in_very_many_passes_is_refused() -> None:
    """Of 36 million pixels, in a hundred kilobytes, it once took hours."""
    image = jpeg((64, 64))
    last_pass = image[image.rindex(b"\xff\xda") : -2]

    assert decode_image(image[:-2] + 20 * last_pass + image[-2:])
    with pytest.raises(UndecodableImage, match="passes"):
        decode_image(image[:-2] + 100 * last_pass + image[-2:])


def test_what_is_put_behind_a_photograph_is_not_looked_at() -> None:
    film = 100 * b"\xff\xda\x00\x02"

    assert decode_image(jpeg((64, 64)) + film)


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
