"""npm packages with a few things to make scenes of, each a square of one colour; and voices that cost nothing."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.audio import SAMPLE_RATE
from training.nano.drawings import load_drawings
from training.nano.lexicon import load_lexicon
from training.scenes.things import Catalogue, catalogue

RGB = tuple[int, int, int]

DRAWN: Mapping[str, tuple[str, RGB]] = {
    "dog": ("1f415", (180, 60, 60)),
    "cat": ("1f408", (60, 180, 60)),
    "frog": ("1f438", (60, 60, 180)),
    "red apple": ("1f34e", (180, 180, 60)),
    "unicorn": ("1f984", (60, 180, 180)),
    "full moon": ("1f315", (180, 60, 180)),
    "umbrella": ("2602", (120, 200, 30)),
    "glasses": ("1f453", (30, 120, 200)),
    "knife": ("1f52a", (200, 30, 120)),  # under a name that no thing has
    "zzz": ("1f4a4", (5, 5, 5)),
}
"""Name of the emoji -> its code, and its colour as all vendors draw it."""

COLOUR_OF: Mapping[str, RGB] = {
    {"red apple": "apple", "full moon": "moon", "glasses": "pair of glasses"}.get(name, name): colour
    for name, (_, colour) in DRAWN.items()
}
"""Name of the thing -> its colour."""


def write_scene_packages(folder: Path) -> Path:
    entries = [
        {"label": name, "hexcode": code.upper(), "emoji": chr(int(code, 16)), "tags": [], "group": 3}
        for name, (code, _) in DRAWN.items()
    ]
    _json(folder / "emojibase-data" / "en" / "data.json", entries)
    icons = {name.replace(" ", "-"): {"body": _square(colour, 128)} for name, (_, colour) in DRAWN.items()}
    for vendor in ("noto", "noto-v1"):
        codes = {code: name.replace(" ", "-") for name, (code, _) in DRAWN.items()}
        _json(folder / vendor / "chars.json", codes if vendor == "noto" else {})
        _json(folder / vendor / "icons.json", {"icons": icons, "width": 128})
    for code, colour in DRAWN.values():
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72">{_square(colour, 72)}</svg>'
        _text(folder / "openmoji" / "color" / "svg" / f"{code.upper()}.svg", svg)
        png = folder / "emoji-datasource-twitter" / "img" / "twitter" / "64" / f"{code}.png"
        png.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGBA", (64, 64), (*colour, 255)).save(png)
    return folder


def open_catalogue(packages: Path, *vendors: str) -> Catalogue:
    lexicon = load_lexicon(packages)
    return catalogue(lexicon, {vendor: load_drawings(packages, vendor, lexicon) for vendor in vendors or ("noto",)})


class Choir:
    """Any number of voices, each of which hums a word for a tenth of a second."""

    def __init__(self, name: str = "choir") -> None:
        self._name = name

    def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
        frequency = rng.uniform(100, 400)
        time = np.arange(len(phrase.split()) * SAMPLE_RATE // 10 + 4_000) / SAMPLE_RATE
        wave = np.sin(2 * np.pi * frequency * time) / 2
        return wave.astype(np.float32), f"{self._name}/{frequency:.6f}"


def members(tar: Path) -> Mapping[str, bytes]:
    found = {}
    with tarfile.open(tar) as file:
        for member in file:
            data = file.extractfile(member)
            assert data is not None
            found[member.name] = data.read()
    return found


def picture_of(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def _square(colour: RGB, size: int) -> str:
    """With a margin around it."""
    return (
        f'<rect x="{size // 8}" y="{size // 8}" width="{size * 3 // 4}" height="{size * 3 // 4}" fill="rgb{colour}"/>'
    )


def _json(path: Path, content: object) -> None:
    _text(path, json.dumps(content))


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
