"""What is decoded, as bytes that cross from one process to another: plain numbers, and nothing that could be run.

An answer is two messages: a line of JSON that says what it is, and the samples or pixels themselves. Whoever reads one
believes nothing in it: the process that wrote it has read a hostile file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from models import errors
from models.audio import Waveform
from models.images import MAX_PIXELS

MAX_HEAD = 16 << 10
MAX_REASON = 1000  # characters
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "I", "I;16", "F")
# By name: of everything else that an answer might name, nothing is raised.
REFUSALS: Mapping[str, type[Exception]] = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.AudioError | errors.ImageError)
}

NONSENSE = (ValueError, TypeError, LookupError, OverflowError, RecursionError)
"""What reading an answer raises that no decoder has given."""

Answer = tuple[bytes, bytes]


def audio_answer(wave: Waveform) -> Answer:
    head = {"format": wave.format, "truncated": wave.truncated}
    return _json(head), wave.samples.astype("<f4").tobytes()


def image_answer(image: Image.Image, format: str) -> Answer:
    """Pixels, palette and what is transparent; of all else that a file tells of an image nothing is used."""
    head: dict[str, Any] = {"format": format, "mode": image.mode, "size": image.size}
    if image.palette is not None:
        mode = image.palette.mode
        head["palette"] = [mode, base64.b64encode(bytes(image.getpalette(mode) or ())).decode()]
    clear = image.info.get("transparency")
    if isinstance(clear, bytes):
        head["transparent_indices"] = base64.b64encode(clear).decode()
    elif clear is not None:
        head["transparent"] = clear
    return _json(head), image.tobytes()


def refusal_answer(error: Exception) -> Answer:
    """Of an `AudioError` or an `ImageError`."""
    return _json({"refused": type(error).__name__, "reason": str(error)[:MAX_REASON]}), b""


def head_of(message: bytes | bytearray) -> dict[str, Any]:
    """Of an answer. Raises the refusal that it tells of, or one of `NONSENSE` where it is no answer."""
    head = json.loads(message)
    if not isinstance(head, dict):
        raise ValueError("no object")
    if "refused" in head:
        raise REFUSALS[head["refused"]](str(head["reason"]))
    return head


def wave_of(head: Mapping[str, Any], body: bytearray) -> Waveform:
    """Raises one of `NONSENSE`."""
    samples = np.frombuffer(body, "<f4")
    if not np.isfinite(samples).all():
        raise ValueError("no samples")
    return Waveform(samples, str(head["format"]), bool(head["truncated"]))


def image_of(head: Mapping[str, Any], body: bytearray) -> tuple[Image.Image, str]:
    """Raises one of `NONSENSE`."""
    width, height = map(int, head["size"])
    if head["mode"] not in MODES or min(width, height) < 1 or width * height > MAX_PIXELS:
        raise ValueError("no image")
    image = Image.frombytes(head["mode"], (width, height), bytes(body))
    if (palette := head.get("palette")) is not None:
        image.putpalette(base64.b64decode(palette[1]), "RGBA" if palette[0] == "RGBA" else "RGB")
    if (indices := head.get("transparent_indices")) is not None:
        image.info["transparency"] = base64.b64decode(indices)
    elif (clear := head.get("transparent")) is not None:
        image.info["transparency"] = tuple(map(int, clear)) if isinstance(clear, list) else int(clear)
    return image, str(head["format"])


def _json(head: Mapping[str, Any]) -> bytes:
    return json.dumps(head).encode()
