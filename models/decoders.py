"""Who decodes: this process, or others (`models.isolation`) that a broken file may break."""

from __future__ import annotations

from typing import Protocol

from PIL import Image

from models.audio import Waveform, decode
from models.images import decode_image


class Decoder(Protocol):
    """Makes audio and images of the bytes of files; for any number of threads."""

    def audio(self, data: bytes, max_seconds: float | None = None) -> Waveform:
        """As `models.audio.decode`; None stands for as many seconds as the decoder was made for."""
        ...

    def image(self, data: bytes) -> tuple[Image.Image, str]:
        """As `models.images.decode_image`."""
        ...

    def close(self) -> None:
        """Let go of whatever is held; nothing is decoded any more."""
        ...


class DirectDecoder:
    """Decodes in the thread that asks: the quickest way, and a fault in a library is one of the whole process."""

    def __init__(self, max_seconds: float = 30.0) -> None:
        self._max_seconds = max_seconds

    def audio(self, data: bytes, max_seconds: float | None = None) -> Waveform:
        return decode(data, self._max_seconds if max_seconds is None else max_seconds)

    def image(self, data: bytes) -> tuple[Image.Image, str]:
        return decode_image(data)

    def close(self) -> None:
        pass
