"""The bytes of an image file become an image, at a bounded cost."""

from __future__ import annotations

import re
from io import BytesIO

from PIL import Image, ImageOps

from models.errors import UndecodableImage

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 40_000_000
# Far more than any model looks at; as many images as may wait for the encoder fit into memory.
KEPT_PIXELS = 2_000_000
# Of a progressive JPEG. Each goes over all pixels again, however few bytes it has, and ten megabytes hold 170,000.
MAX_SCANS = 64

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
            return _bounded(ImageOps.exif_transpose(image)), str(image.format).lower()
    except UndecodableImage:
        raise
    # Pillow's readers raise nearly anything on broken files: OSError, SyntaxError, ValueError, struct.error, ...
    except Exception as error:
        kinds = ", ".join(kind.lower() for kind in FORMATS)
        raise UndecodableImage(f"these {len(data)} bytes are no readable image file ({kinds})") from error


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
