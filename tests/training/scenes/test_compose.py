"""Scenes at random."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from training.scenes.colours import SCENERIES
from training.scenes.compose import COUNTS, compose
from training.scenes.scene import Scene
from training.scenes.things import Catalogue


@pytest.fixture(scope="module")
def many(drawn: Catalogue) -> list[Scene]:
    return [compose(drawn, random.Random(seed)) for seed in range(1_500)]


def test_the_same_seed_gives_the_same_scene(drawn: Catalogue, many: list[Scene]) -> None:
    assert [compose(drawn, random.Random(seed)) for seed in range(50)] == many[:50]


def test_one_to_four_drawings_of_things_of_different_names(many: list[Scene]) -> None:
    counts = Counter(tuple(sorted(group.count for group in scene.groups)) for scene in many)

    assert set(counts) == set(COUNTS)
    assert all(sum(pattern) <= 4 for pattern in counts)
    assert all(len({group.thing.name for group in scene.groups}) == len(scene.groups) for scene in many)


def test_there_is_one_moon(many: list[Scene]) -> None:
    moons = [group for scene in many for group in scene.groups if group.thing.name == "moon"]

    assert moons
    assert all(moon.count == 1 for moon in moons)


def test_only_what_can_be_painted_or_sleeps_is(many: list[Scene]) -> None:
    groups = [group for scene in many for group in scene.groups]

    assert {group.thing.name for group in groups if group.asleep} == {"dog", "cat", "frog", "unicorn"}
    assert {group.thing.name for group in groups if group.paint} == {"dog", "cat", "frog", "unicorn", "umbrella"}
    assert all(group.paint.name != group.thing.colour for group in groups if group.paint)


def test_nothing_is_before_a_wall_of_its_own_colour(many: list[Scene]) -> None:
    for scene in many:
        near = SCENERIES[scene.backdrop.kind].near if scene.backdrop.colour is None else (scene.backdrop.colour,)

        assert not {group.colour for group in scene.groups} & {*near}


def test_combinations_are_of_things_and_of_paints(many: list[Scene]) -> None:
    scene = next(scene for scene in many if len(scene.groups) == 3 and scene.groups[0].paint)
    names, first = sorted(group.thing.name for group in scene.groups), scene.groups[0]

    assert first.paint
    assert (first.paint.name, first.thing.name) in scene.combinations()
    assert {(names[0], names[1]), (names[0], names[2]), (names[1], names[2])} <= scene.combinations()
