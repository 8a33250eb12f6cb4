"""Drawings of the emoji by four vendors, as pixels: different drawings of one thing stand for its many photographs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.images import on_white
from training.nano.lexicon import Lexicon, drawing_id

TRAINING = ("noto", "noto-v1", "openmoji")
HELD_OUT = "twemoji"
SIZE = 64
RENDERED = 128

Render = Callable[[], Image.Image]


def load_drawings(packages: Path, vendor: str, lexicon: Lexicon) -> Mapping[str, Render]:
    """Drawing id -> what renders it, at 64 x 64 or more."""
    match vendor:
        case "noto":
            return _by_code(packages / "noto")
        case "twemoji":
            return _pngs(packages / "emoji-datasource-twitter" / "img" / "twitter" / "64")
        case "openmoji":
            return {
                drawing_id(path.stem): lambda svg=path: _svg(svg.read_text(encoding="utf-8"))  # type: ignore[misc]
                for path in sorted((packages / "openmoji" / "color" / "svg").glob("*.svg"))
            }
        case "noto-v1":
            return _by_name(packages / "noto-v1", lexicon)
    raise ValueError(f"unknown vendor {vendor!r}")


def render_vendor(packages: Path, vendor: str, lexicon: Lexicon) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels (N, 64, 64, 3) on white, and the position in the lexicon of each."""
    drawings = load_drawings(packages, vendor, lexicon)
    pixels, positions = [], []
    for position, emoji in enumerate(lexicon.emoji):
        if emoji.id in drawings:
            image = on_white(drawings[emoji.id]()).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
            pixels.append(np.asarray(image))
            positions.append(position)
    return np.stack(pixels), np.array(positions)


def cached_vendor(
    packages: Path, work: Path, vendor: str, lexicon: Lexicon
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """As `render_vendor`, kept in `work` until the lexicon changes."""
    path, ids = work / f"drawings-{vendor}.npz", np.array([emoji.id for emoji in lexicon.emoji])
    if not path.exists() or not _made_for(path, ids):
        work.mkdir(parents=True, exist_ok=True)
        pixels, positions = render_vendor(packages, vendor, lexicon)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, pixels=pixels, positions=positions, lexicon=ids)
        partial.replace(path)
    with np.load(path) as data:
        return data["pixels"], data["positions"]


def _made_for(path: Path, ids: NDArray[np.str_]) -> bool:
    """Positions in another lexicon would be other emoji."""
    with np.load(path) as data:
        return "lexicon" in data and np.array_equal(data["lexicon"], ids)


def _pngs(folder: Path) -> Mapping[str, Render]:
    return {
        drawing_id(path.stem): lambda png=path: Image.open(io.BytesIO(png.read_bytes()))  # type: ignore[misc]
        for path in sorted(folder.glob("*.png"))
    }


def _by_code(package: Path) -> Mapping[str, Render]:
    """An icon set of Iconify by code points."""
    characters = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    icons = _Icons(package)
    return {
        drawing_id(code): lambda icon=name: icons.render(icon)  # type: ignore[misc]
        for code, name in characters.items()
        if name in icons.bodies
    }


def _by_name(package: Path, lexicon: Lexicon) -> Mapping[str, Render]:
    """An icon set of Iconify that does not list code points: its icons go by the emoji's names."""
    names = {emoji.id: emoji.name.replace(" ", "-").replace("'", "-") for emoji in lexicon.emoji}
    icons = _Icons(package)
    return {
        number: lambda icon=name: icons.render(icon)  # type: ignore[misc]
        for number, name in names.items()
        if name in icons.bodies
    }


class _Icons:
    def __init__(self, package: Path) -> None:
        icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))
        self.bodies: dict[str, str] = {name: icon["body"] for name, icon in icons["icons"].items()}
        self._size = icons.get("width", 128)

    def render(self, name: str) -> Image.Image:
        box = f"0 0 {self._size} {self._size}"
        return _svg(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{self.bodies[name]}</svg>')


def _svg(text: str) -> Image.Image:
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=text, width=RENDERED, height=RENDERED, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(png)))
