"""The bytes of an image file become an image, at a bounded cost."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageOps

from models.errors import UndecodableImage

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 40_000_000
# Far more than any model looks at; as many images as may wait for the encoder fit into memory.
KEPT_PIXELS = 2_000_000


def decode_image(data: bytes) -> tuple[Image.Image, str]:
    """The first frame, upright, in its own mode, and the format as read from the bytes, such as ``"png"``.

    Collections are indexed with it and queries are read with it, so that an image is nearest to itself. A large one is
    made smaller. Raises `UndecodableImage`; the size is judged before a pixel is decoded.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_size(image)
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


def _bounded(image: Image.Image) -> Image.Image:
    width, height = image.size
    scale = (KEPT_PIXELS / (width * height)) ** 0.5
    if scale >= 1:
        return image
    return image.resize((max(1, int(width * scale)), max(1, int(height * scale))), Image.Resampling.BICUBIC)
