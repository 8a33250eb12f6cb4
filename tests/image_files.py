"""Writes images as files of every kind people send."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def drawings() -> dict[str, bytes]:
    """Image files of every mode, with palettes and transparency of every kind, turned, moving and large."""
    ramp = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
    colours = Image.merge("RGB", (ramp, ramp.rotate(90), ramp.rotate(180)))
    clear = colours.copy()
    clear.putalpha(ramp)
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "png 1": saved(ramp.convert("1"), "PNG"),
        "png L": saved(ramp, "PNG"),
        "png L, one shade clear": saved(ramp, "PNG", transparency=8),
        "png LA": saved(clear.convert("LA"), "PNG"),
        "png I;16": saved(Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 999), "PNG"),
        "png P": saved(colours.quantize(16), "PNG"),
        "png P, one colour clear": saved(colours.quantize(16), "PNG", transparency=3),
        "png P, degrees of clear": saved(colours.quantize(16), "PNG", transparency=bytes(range(0, 256, 16))),
        "png RGB": saved(colours, "PNG"),
        "png RGB, one colour clear": saved(colours, "PNG", transparency=(0, 0, 0)),
        "png RGBA": saved(clear, "PNG"),
        "jpeg": saved(colours, "JPEG"),
        "jpeg turned": saved(colours.resize((12, 8)), "JPEG", exif=turned),
        "jpeg CMYK": saved(colours.convert("CMYK"), "JPEG"),
        "jpeg progressive": saved(colours, "JPEG", progressive=True),
        "gif moving": saved(colours.quantize(16), "GIF", save_all=True, append_images=[ramp.convert("P")]),
        "gif clear": saved(clear, "GIF"),
        "webp": saved(colours, "WEBP"),
        "webp RGBA": saved(clear, "WEBP", lossless=True),
        "bmp": saved(colours, "BMP"),
        "large": saved(colours.resize((2000, 1500)), "PNG"),
    }


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
