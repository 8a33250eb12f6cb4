"""Folders laid out like the npm packages that training reads, with a handful of emoji in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Drawn:
    """An emoji of the fake packages: code points as emojibase writes them, label, tags, colour of its drawings."""

    hexcode: str
    label: str
    tags: tuple[str, ...]
    colour: tuple[int, int, int]

    @property
    def symbol(self) -> str:
        return "".join(chr(int(code, 16)) for code in self.hexcode.split("-"))


DOG = Drawn("1F436", "dog face", ("dog", "pet"), (200, 120, 40))
CAT = Drawn("1F431", "cat face", ("cat", "pet"), (250, 250, 60))
HEART = Drawn("2764-FE0F", "red heart", ("heart", "love", "<3"), (230, 10, 10))
ONE = Drawn("0031-FE0F-20E3", "keycap: 1", ("1",), (10, 90, 230))
TWO = Drawn("0032-FE0F-20E3", "keycap: 2", ("2",), (20, 200, 230))
CLOCK = Drawn("1F566", "man's seven-thirty", ("clock",), (40, 230, 90))
SHOWN = (DOG, CAT, HEART, ONE, TWO, CLOCK)
"""In the order of the lexicon, where each has this position."""

NEVER_SPOKEN = [
    {"label": "regional indicator A", "hexcode": "1F1E6", "emoji": "🇦"},
    {"label": "light skin tone", "hexcode": "1F3FB", "emoji": "🏻", "group": 2},
    {"label": "flag: Chad", "hexcode": "1F1F9-1F1E9", "emoji": "🇹🇩", "group": 9, "tags": ["chad"]},
    {"label": "1234", "hexcode": "1F522", "emoji": "🔢", "group": 8, "tags": ["<3", "+1"]},
]


def write_packages(folder: Path) -> Path:
    """Every package. openmoji lacks the clock, and no drawing is of anything that is never spoken."""
    _json(folder / "emojibase-data" / "en" / "data.json", [*map(_entry, SHOWN), *NEVER_SPOKEN])
    _iconify(folder / "noto", {emoji: f"icon-{n}" for n, emoji in enumerate(SHOWN)}, listed=True)
    named = {DOG: "dog-face", CAT: "cat-face", HEART: "red-heart", ONE: "keycap-1", CLOCK: "man-s-seven-thirty"}
    _iconify(folder / "noto-v1", named, listed=False)
    for emoji in SHOWN[:-1]:
        _text(folder / "openmoji" / "color" / "svg" / f"{emoji.hexcode}.svg", _svg(emoji.colour, 72))
    twitter = folder / "emoji-datasource-twitter" / "img" / "twitter" / "64"
    twitter.mkdir(parents=True)
    for emoji in SHOWN:
        _disc(emoji.colour).save(twitter / f"{emoji.hexcode.lower()}.png")
    return folder


def _entry(emoji: Drawn) -> Mapping[str, Any]:
    return {
        "label": emoji.label,
        "hexcode": emoji.hexcode,
        "emoji": emoji.symbol,
        "tags": list(emoji.tags),
        "group": 3,
    }


def _iconify(folder: Path, names: Mapping[Drawn, str], listed: bool) -> None:
    codes = {emoji.hexcode.lower().replace("-fe0f", ""): name for emoji, name in names.items()}
    _json(folder / "chars.json", codes | {"1f47b": "not-among-the-icons"} if listed else {})
    icons = {name: {"body": _square(emoji.colour, 128)} for emoji, name in names.items()}
    _json(folder / "icons.json", {"prefix": folder.name, "width": 128, "height": 128, "icons": icons})


def _square(colour: tuple[int, int, int], size: int) -> str:
    """The middle quarter of the picture, so that there is a transparent margin."""
    return f'<rect x="{size // 4}" y="{size // 4}" width="{size // 2}" height="{size // 2}" fill="rgb{colour}"/>'


def _svg(colour: tuple[int, int, int], size: int) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}">{_square(colour, size)}</svg>'


def _disc(colour: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((*colour, 255), (16, 16, 48, 48))
    return image


def _json(path: Path, content: object) -> None:
    _text(path, json.dumps(content))


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
