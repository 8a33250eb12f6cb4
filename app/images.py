"""The bytes of an image file become an image, at a bounded cost."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageOps

from models.errors import UndecodableImage

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 40_000_000


def decode_image(data: bytes) -> tuple[Image.Image, str]:
    """The first frame, turned upright, as RGB or RGBA, and the format as read from the bytes, such as ``"png"``.

    Raises `UndecodableImage`. The size is judged before a pixel is decoded.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_size(image)
            # Before the modes are unified, because the orientation does not survive that.
            upright = ImageOps.exif_transpose(image)
            return upright.convert("RGBA" if upright.has_transparency_data else "RGB"), str(image.format).lower()
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
