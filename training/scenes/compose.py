"""Scenes at random: which things, how many, how large, in which colours, and before what."""

from __future__ import annotations

import random
from collections.abc import Sequence

from training.scenes.colours import PAINTS, draw_backdrop, shade
from training.scenes.geometry import Rect
from training.scenes.layout import cells, squares
from training.scenes.scene import Group, Paint, Placed, Scene
from training.scenes.things import Catalogue, Thing

COUNTS = {
    (1,): 14,
    (2,): 7,
    (3,): 5,
    (4,): 2,
    (1, 1): 27,
    (1, 2): 10,
    (2, 2): 5,
    (1, 3): 4,
    (1, 1, 1): 16,
    (1, 1, 2): 4,
    (1, 1, 1, 1): 6,
}
"""How many there are of each thing, and how often."""

PAINTED, ASLEEP, FLIPPED = 0.35, 0.12, 0.5
FILL_ALONE, FILL_ALIKE = (0.3, 1.0), (0.55, 1.0)
FILL, FILL_SMALL, SMALL = (0.8, 1.0), (0.48, 0.62), 0.25
"""How much of its place a thing takes: alone, with others like it, and beside others, where some are small."""

TILT = 12.0


def compose(catalogue: Catalogue, rng: random.Random) -> Scene:
    """Any scene of the things in the catalogue."""
    (counts,) = rng.choices([*COUNTS], [*COUNTS.values()])
    counts = tuple(rng.sample(counts, len(counts)))
    things = _things(catalogue, counts, rng)
    places = cells(counts, rng)
    alone = len(counts) == 1
    groups = tuple(
        _group(catalogue, thing, _squares(cell, count, alone, rng), rng)
        for thing, count, cell in zip(things, counts, places, strict=True)
    )
    taken = {group.colour for group in groups if group.colour}
    return Scene(draw_backdrop(taken, rng), groups)


def _things(catalogue: Catalogue, counts: Sequence[int], rng: random.Random) -> list[Thing]:
    """A thing for each group. There is only one moon; and none has the name of another."""
    chosen: dict[str, Thing] = {}
    while len(chosen) < len(counts):
        # By the name first: hearts there are of nine colours, and they would be everywhere.
        name = rng.choice(catalogue.names)
        thing = rng.choice(catalogue.named[name])
        if counts[len(chosen)] == 1 or not thing.unique:
            chosen.setdefault(name, thing)
    return list(chosen.values())


def _squares(cell: Rect, count: int, alone: bool, rng: random.Random) -> list[Rect]:
    beside = FILL_SMALL if rng.random() < SMALL else FILL
    fill = beside if not alone else FILL_ALONE if count == 1 else FILL_ALIKE
    return squares(cell, count, rng.uniform(*fill), alone, rng)


def _group(catalogue: Catalogue, thing: Thing, places: Sequence[Rect], rng: random.Random) -> Group:
    vendor = rng.choice(catalogue.vendors[thing])
    drawing = rng.choice(catalogue.shown[vendor][thing])
    painted = thing.paintable and rng.random() < PAINTED
    paint = rng.choice([name for name in PAINTS if name != thing.colour]) if painted else None
    can_sleep = thing.sleeps and catalogue.asleep in catalogue.drawings[vendor]
    return Group(
        thing=thing,
        vendor=vendor,
        drawing=drawing,
        paint=Paint(paint, shade(paint, rng)) if paint else None,
        asleep=can_sleep and rng.random() < ASLEEP,
        placed=tuple(Placed(where, rng.random() < FLIPPED, rng.uniform(-TILT, TILT)) for where in places),
    )
