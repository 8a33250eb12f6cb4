"""The bytes of an image file become an image, at a bounded cost, and an image what a model looks at of it."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from models.errors import UndecodableImage

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 40_000_000
# Far more than any model looks at; as many images as may wait for the encoder fit into memory.
KEPT_PIXELS = 2_000_000
# Of a progressive JPEG. Each goes over all pixels again, however few bytes it has, and ten megabytes hold 170,000.
MAX_SCANS = 64
# Of what a model looks at.
_MOST_ELONGATED = 16

# Within the coded data of a scan no marker looks like this but one that ends it.
JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
JPEG_END, JPEG_SCAN = 0xD9, 0xDA


def decode_image(data: bytes) -> tuple[Image.Image, str]:
    """The first frame, upright, in its own mode, and the format as read from the bytes, such as ``"png"``.

    Collections are indexed with it and queries are read with it, so that an image is nearest to itself. A large one is
    made smaller. Raises `UndecodableImage`; the size is judged before a pixel is decoded.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_size(image)
            _check_scans(data)
            return _bounded(ImageOps.exif_transpose(image)), _format(image)
    except UndecodableImage:
        raise
    # Pillow's readers raise nearly anything on broken files: OSError, SyntaxError, ValueError, struct.error, ...
    except Exception as error:
        kinds = ", ".join(kind.lower() for kind in FORMATS)
        raise UndecodableImage(f"these {len(data)} bytes are no readable image file ({kinds})") from error


def _format(image: Image.Image) -> str:
    """A photo with more photos behind it, as of phones with two cameras, is a JPEG to everybody else."""
    return "jpeg" if image.format == "MPO" else str(image.format).lower()


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UndecodableImage(f"the image has {width} x {height} pixels; {MAX_PIXELS:,} in all are the most")


def _check_scans(data: bytes) -> None:
    if not data.startswith(b"\xff\xd8"):
        return
    scans = position = 0
    # Up to the end of the image: phones put whole films behind it.
    while (marker := JPEG_MARKER.search(data, position)) and data[marker.end() - 1] != JPEG_END:
        scans += data[marker.end() - 1] == JPEG_SCAN
        if scans > MAX_SCANS:
            raise UndecodableImage(f"the image is coded in more than {MAX_SCANS} passes")
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")


def _bounded(image: Image.Image) -> Image.Image:
    width, height = image.size
    scale = (KEPT_PIXELS / (width * height)) ** 0.5
    if scale >= 1:
        return image
    return image.resize((max(1, int(width * scale)), max(1, int(height * scale))), Image.Resampling.BICUBIC)


def looked_at(image: Image.Image, size: int) -> Image.Image:
    """(size, size) pixels in RGB: all that a model sees of an image; of these it sees the same."""
    return centre(on_white(image), size)


def centre(image: Image.Image, size: int) -> Image.Image:
    """The shorter side resized to `size` (bicubic), and the middle (size, size) of that."""
    # Or a line of a million pixels would become a picture of many gigabytes, of which one square is looked at.
    longest = _MOST_ELONGATED * min(image.size)
    image = _middle(image, min(image.width, longest), min(image.height, longest))
    width, height = (int(size * side / min(image.size)) for side in image.size)
    return _middle(image.resize((width, height), Image.Resampling.BICUBIC), size, size)


def _middle(image: Image.Image, width: int, height: int) -> Image.Image:
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def on_white(image: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes white, as on paper (a bare conversion would make it black)."""
    if image.mode.startswith("I;16"):
        # A bare conversion would saturate: white from 1/256 of full brightness on.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(background, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
