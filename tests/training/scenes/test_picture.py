"""Pictures show what the scene says."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.training.scenes.scene_packages import COLOUR_OF
from training.scenes.colours import COLOURS, PAINTS, Backdrop
from training.scenes.compose import compose
from training.scenes.geometry import SIDE, Rect
from training.scenes.picture import Painter, backdrop, painted
from training.scenes.scene import Group, Paint, Placed, Scene
from training.scenes.things import Catalogue


def near(picture: Image.Image, colour: tuple[int, int, int], distance: float = 30) -> NDArray[np.bool_]:
    distances = np.linalg.norm(np.asarray(picture, np.float32) - colour, axis=2)
    return np.asarray(distances < distance)


def test_things_are_where_the_scene_has_them(drawn: Catalogue) -> None:
    painter = Painter(drawn)
    for seed in range(40):
        scene = compose(drawn, random.Random(seed))
        picture = painter.picture(scene)
        assert (picture.mode, picture.size) == ("RGB", (SIDE, SIDE))
        for group in scene.groups:
            colour = group.paint.rgb if group.paint else COLOUR_OF[group.thing.name]
            for one in group.placed:
                x, y = one.where.centre
                inside = near(picture.crop((int(x) - 2, int(y) - 1, int(x) + 1, int(y) + 2)), colour, 90)
                assert inside.all(), (seed, group.thing.name)


def test_the_same_scene_gives_the_same_picture(drawn: Catalogue) -> None:
    scene = compose(drawn, random.Random(3))

    assert Painter(drawn).picture(scene).tobytes() == Painter(drawn).picture(scene).tobytes()


@pytest.mark.parametrize("name", PAINTS)
def test_what_is_painted_has_that_colour_more_than_any_other(name: str) -> None:
    grey = np.tile(np.linspace(20, 235, 64)[:, None, None], (1, 64, 4)).astype(np.uint8)
    grey[..., 3] = 255
    seen = np.asarray(painted(Image.fromarray(grey, "RGBA"), COLOURS[name]).convert("RGB"), np.float32).mean((0, 1))

    assert min(PAINTS, key=lambda other: float(np.linalg.norm(seen - COLOURS[other]))) == name


def test_paint_keeps_what_is_transparent() -> None:
    drawing = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    drawing.paste((255, 255, 255, 255), (2, 2, 6, 6))

    assert painted(drawing, (200, 0, 0)).getchannel("A").tobytes() == drawing.getchannel("A").tobytes()


@pytest.mark.parametrize("shade", [0, 255])
def test_what_is_white_is_seen_on_white_and_black_on_black(drawn: Catalogue, shade: int) -> None:
    colour = (shade, shade, shade)
    placed = Placed(Rect(40, 40, 80, 80), False, 0.0)
    group = Group(drawn.things[0], "noto", "1f415", Paint("like its wall", colour), False, (placed,))
    seen = Painter(drawn).picture(Scene(Backdrop("plain", "the same", colour, colour), (group,)))

    assert (np.abs(np.asarray(seen, np.int64) - shade) > 30).any(2).sum() > 100


def test_sceneries_have_ground_and_nights_have_stars() -> None:
    beach = np.asarray(backdrop(Backdrop("beach", None, (160, 210, 250), (240, 210, 150), 0.5)))
    night = np.asarray(backdrop(Backdrop("night", None, (10, 10, 50), (30, 40, 90), None, 7)))

    assert tuple(beach[0, 0]) == (160, 210, 250)
    assert tuple(beach[-1, 0]) == (240, 210, 150)
    assert 20 < (night.min(2) == 255).sum() < 200
