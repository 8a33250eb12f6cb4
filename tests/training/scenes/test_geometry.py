"""What can be said about where things are."""

from __future__ import annotations

import pytest

from training.scenes.geometry import SIDE, Rect, between, hull, next_to, place, relation, size_word


def square(x: float, y: float, side: float = 20) -> Rect:
    return Rect(x, y, x + side, y + side)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (square(0, 0), square(40, 5), "left"),
        (square(40, 5), square(0, 0), "right"),
        (square(0, 0), square(5, 40), "above"),
        (square(5, 40), square(0, 0), "below"),
        (square(0, 0), square(40, 40), None),
        (square(0, 0), square(40, 15), None),
        (square(0, 0), square(10, 10), None),
        (square(0, 0, 60), square(80, 45, 10), "left"),
    ],
)
def test_relations(one: Rect, other: Rect, expected: str | None) -> None:
    assert relation(one, other) == expected


def test_next_to_is_side_by_side_and_near_with_nothing_between() -> None:
    one, near, far, over = square(0, 0), square(30, 0), square(80, 0), square(0, 25)

    assert next_to(one, near, [])
    assert next_to(near, one, [over])
    assert not next_to(one, far, [])
    assert not next_to(one, over, [])
    assert not next_to(square(0, 0, 40), square(60, 0, 40), [square(47, 60, 6)])


def test_between_is_in_a_row_or_in_a_column() -> None:
    left, middle, right = square(0, 0), square(40, 0), square(80, 0)

    assert between(middle, (left, right))
    assert between(middle, (right, left))
    assert not between(left, (middle, right))
    assert between(square(0, 40), (square(0, 80), square(0, 0)))


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (0, 0, "top left"),
        (1, 1, "bottom right"),
        (1, 0, "top right"),
        (0, 1, "bottom left"),
        (0.5, 0.5, "middle"),
        (0, 0.5, "left"),
        (1, 0.5, "right"),
        (0.5, 0, "top"),
        (0.5, 1, "bottom"),
        (0.39, 0.61, None),
    ],
)
def test_places(x: float, y: float, expected: str | None) -> None:
    side = 20
    assert place(square(x * (SIDE - side), y * (SIDE - side), side)) == expected or expected is None
    if expected is None:
        assert place(Rect(x * SIDE, y * SIDE, x * SIDE, y * SIDE)) is None


def test_sizes_are_told_where_they_can_be_seen() -> None:
    assert size_word(60, [30, 40]) == "big"
    assert size_word(20, [30, 40]) == "small"
    assert size_word(35, [30, 40]) is None
    assert size_word(SIDE * 0.9, []) == "big"
    assert size_word(SIDE * 0.3, []) == "small"
    assert size_word(SIDE * 0.6, []) is None


def test_the_hull_is_around_all() -> None:
    assert hull([square(0, 50), square(70, 10)]) == Rect(0, 10, 90, 70)
