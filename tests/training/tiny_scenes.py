"""A corpus of two scenes, as `speechclip data scenes` writes it."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from PIL import Image

from tests.audio_files import encode, tone

RED, BLUE = (200, 0, 0), (0, 0, 200)
SPOKEN = (
    (RED, {"a dog": 0.5, "two cats": 0.4}),
    (BLUE, {"a dog": 0.3, "a very long story": 5.5}),
)


def write_scenes(folder: Path) -> Path:
    """For training and for evaluation. One caption is of both pictures, and one is too long for nano."""
    folder.mkdir(exist_ok=True)
    for split in ("train", "dev"):
        with tarfile.open(folder / f"{split}-000000.tar", "w") as tar:
            for number, (colour, captions) in enumerate(SPOKEN):
                picture = io.BytesIO()
                Image.new("RGB", (96, 96), colour).save(picture, "jpeg")
                _add(tar, f"{number:06d}.jpg", picture.getvalue())
                _add(tar, f"{number:06d}.json", json.dumps({"image_id": number}).encode())
                for place, (caption, seconds) in enumerate(captions.items()):
                    _add(tar, f"{number:06d}.{place}.wav", encode(tone(seconds, 16_000, 300), 16_000, "wav-16"))
                    _add(tar, f"{number:06d}.{place}.txt", f"{split} {caption}".encode())
    return folder


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
