"""Colours by their names, and what is behind the things of a scene."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

RGB = tuple[int, int, int]

COLOURS: Mapping[str, RGB] = {
    "red": (214, 36, 40),
    "orange": (246, 132, 28),
    "yellow": (250, 212, 40),
    "green": (64, 162, 70),
    "blue": (44, 100, 222),
    "purple": (132, 66, 180),
    "pink": (246, 136, 186),
    "brown": (132, 86, 48),
    "grey": (142, 144, 148),
    "white": (250, 250, 248),
    "black": (22, 22, 24),
}
PAINTS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
"""Colours that leave the lines of a drawing visible."""

JITTER, JITTER_OF_GREY = 12, 4


@dataclass(frozen=True, slots=True)
class Backdrop:
    """kind: `plain`, or a scenery. colour: its name, of a plain one. top, bottom: what it goes from and to.

    horizon: where the ground starts, as a share of the height, if there is ground. seed: of its stars or flakes.
    """

    kind: str
    colour: str | None
    top: RGB
    bottom: RGB
    horizon: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Scenery:
    """near: colours that things before it should not have."""

    top: RGB
    bottom: RGB
    ground: bool
    near: tuple[str, ...]


SKY = (164, 214, 246)
PLAIN = "plain"
SCENERIES: Mapping[str, Scenery] = {
    "grass": Scenery(SKY, (104, 182, 72), True, ("green",)),
    "sea": Scenery(SKY, (36, 112, 190), True, ("blue",)),
    "beach": Scenery(SKY, (236, 210, 150), True, ("yellow",)),
    "snow": Scenery((196, 208, 224), (246, 248, 252), True, ("white",)),
    "night": Scenery((10, 14, 48), (34, 40, 92), False, ("black", "blue", "purple")),
    "sunset": Scenery((88, 58, 122), (252, 158, 74), False, ("orange", "purple")),
}
SCENERY_SHARE = 0.3


def shade(name: str, rng: random.Random) -> RGB:
    """One of the many colours of that name."""
    return _jittered(COLOURS[name], rng)


def draw_backdrop(taken: set[str], rng: random.Random) -> Backdrop:
    """Any that none of the things, whose colours are `taken`, would vanish before."""
    if rng.random() < SCENERY_SHARE:
        return _scenery(rng.choice([name for name, scenery in SCENERIES.items() if not taken & {*scenery.near}]), rng)
    colour = rng.choice([name for name in COLOURS if name not in taken])
    top = shade(colour, rng)
    # Some walls are a little darker at their foot.
    light = rng.choice((1.0, rng.uniform(0.85, 1.0)))
    return Backdrop(PLAIN, colour, top, _scaled(top, light))


def _scenery(kind: str, rng: random.Random) -> Backdrop:
    scenery = SCENERIES[kind]
    horizon = rng.uniform(0.35, 0.7) if scenery.ground else None
    top, bottom = _jittered(scenery.top, rng), _jittered(scenery.bottom, rng)
    return Backdrop(kind, None, top, bottom, horizon, rng.randrange(1 << 30))


def _jittered(colour: RGB, rng: random.Random) -> RGB:
    # A black or a grey with a tinge would be a dark green, or a dull purple.
    jitter = JITTER if max(colour) - min(colour) > JITTER else JITTER_OF_GREY
    red, green, blue = (min(255, max(0, part + rng.randint(-jitter, jitter))) for part in colour)
    return red, green, blue


def _scaled(colour: RGB, light: float) -> RGB:
    red, green, blue = (round(part * light) for part in colour)
    return red, green, blue
