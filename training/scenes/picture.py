"""The picture of a scene, as pixels."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.scenes.colours import RGB, Backdrop
from training.scenes.geometry import SIDE, Rect
from training.scenes.scene import Group, Placed, Scene
from training.scenes.things import Catalogue

KEPT_DRAWINGS = 400  # 64 KiB each
SNORE = 0.4  # of the side of what sleeps
HALO_BLUR, HALO_STRENGTH = 1.2, 150
SPECKS = 40
LEAST_CONTRAST = 48.0  # of a drawing that is painted, or flat ones would be all shadow


class Painter:
    """Draws scenes; the drawings that it used last are kept."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._drawing = lru_cache(KEPT_DRAWINGS)(self._render)

    def picture(self, scene: Scene) -> Image.Image:
        """SIDE x SIDE, RGB."""
        canvas = backdrop(scene.backdrop)
        for group in scene.groups:
            drawing = self._drawing(group.vendor, group.drawing)
            if group.paint:
                drawing = painted(drawing, group.paint.rgb)
            for one in group.placed:
                self._put(canvas, drawing, group, one)
        return canvas

    def _put(self, canvas: Image.Image, drawing: Image.Image, group: Group, one: Placed) -> None:
        side, where = one.where.width, one.where
        if not group.asleep:
            _paste(canvas, _fitted(drawing, one, side), where)
            return
        # Above its right shoulder, where it hides little.
        small = side * (1 - SNORE / 2)
        _paste(
            canvas,
            _fitted(drawing, one, small),
            Rect(where.left, where.bottom - small, where.left + small, where.bottom),
        )
        snore = self._drawing(group.vendor, self._catalogue.asleep or "")
        size = side * SNORE
        corner = Rect(where.right - size, where.top, where.right, where.top + size)
        _paste(canvas, _fitted(snore, Placed(corner, False, 0.0), size), corner)

    def _render(self, vendor: str, drawing: str) -> Image.Image:
        """RGBA, without the margin around it."""
        image = self._catalogue.drawings[vendor][drawing]().convert("RGBA")
        return image.crop(image.getchannel("A").point(lambda alpha: 255 * (alpha > 16)).getbbox())


def _fitted(drawing: Image.Image, one: Placed, side: float) -> Image.Image:
    """Flipped, tilted, and as large as fits into a square of that side."""
    image = drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if one.flipped else drawing
    image = image.rotate(one.angle, Image.Resampling.BICUBIC, expand=True)
    image = image.crop(image.getbbox())
    scale = side / max(image.size)
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _paste(canvas: Image.Image, image: Image.Image, where: Rect) -> None:
    """In the middle of the square, with a halo: white things stay visible on white, and black ones on black."""
    x, y = where.centre
    corner = round(x - image.width / 2), round(y - image.height / 2)
    alpha = Image.new("L", canvas.size)
    alpha.paste(image.getchannel("A"), corner)
    halo = alpha.filter(ImageFilter.GaussianBlur(HALO_BLUR)).point(lambda value: value * HALO_STRENGTH // 255)
    canvas.paste((255, 255, 255) if _is_dark(canvas, corner) else (40, 40, 48), mask=halo)
    canvas.paste(image, corner, image)


def _is_dark(canvas: Image.Image, at: tuple[int, int]) -> bool:
    x, y = (min(SIDE - 1, max(0, value)) for value in at)
    return canvas.convert("L").getpixel((x, y)) < 96  # type: ignore[operator]


def painted(drawing: Image.Image, colour: RGB) -> Image.Image:
    """The same drawing in shades of one colour."""
    pixels = np.asarray(drawing, np.float32)
    alpha = pixels[..., 3]
    light = pixels[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    seen = light[alpha > 128]
    low, middle, high = np.quantile(seen, [0.05, 0.5, 0.95]) if seen.size else (0.0, 128.0, 255.0)
    # However dark or light the drawing is, half of it is darker than the colour, and half of it lighter.
    reach = np.where(light < middle, max(middle - low, LEAST_CONTRAST), max(high - middle, LEAST_CONTRAST))
    level = np.clip(0.5 + (light - middle) / reach / 2, 0, 1)[..., None]
    base = np.array(colour, np.float32)
    dark, bright = base * 0.55, base + (255 - base) * 0.3
    shades = np.where(level < 0.5, dark + (base - dark) * level * 2, base + (bright - base) * (level * 2 - 1))
    return Image.fromarray(np.dstack([shades, alpha]).round().astype(np.uint8), "RGBA")


def backdrop(what: Backdrop) -> Image.Image:
    rows = np.linspace(0, 1, SIDE)
    if what.horizon is not None:
        rows = (rows >= what.horizon).astype(np.float64)
    top, bottom = np.array(what.top), np.array(what.bottom)
    column = top + (bottom - top) * rows[:, None]
    pixels = np.repeat(column[:, None], SIDE, 1).round().astype(np.uint8)
    if what.kind in ("night", "snow"):
        _speckle(pixels, what.seed)
    return Image.fromarray(pixels)


def _speckle(pixels: NDArray[np.uint8], seed: int) -> None:
    """Stars, or flakes."""
    rng = random.Random(seed)
    for _ in range(SPECKS):
        x, y, size = rng.randrange(SIDE - 2), rng.randrange(SIDE - 2), rng.choice((1, 1, 2))
        pixels[y : y + size, x : x + size] = 255
