"""Rectangles in a picture, and what can be said about where they are. Pixels; down is positive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SIDE = 128
"""Width and height of a picture."""

OVERLAP = 0.5  # of the smaller of two things, side by side or one over the other
NEAR = 0.6  # of the larger one's width: things as near as that are next to each other

CORNER, EDGE, MIDDLE = 0.38, 0.36, 0.08  # of the picture's side


@dataclass(frozen=True, slots=True)
class Rect:
    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


def hull(rects: Iterable[Rect]) -> Rect:
    """The smallest rectangle around all of them."""
    lefts, tops, rights, bottoms = zip(*((r.left, r.top, r.right, r.bottom) for r in rects), strict=True)
    return Rect(min(lefts), min(tops), max(rights), max(bottoms))


def relation(one: Rect, other: Rect) -> str | None:
    """Where the one is: `left`, `right`, `above` or `below`; None where nobody could tell, as on a diagonal."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    if across <= 0 and down >= OVERLAP * min(one.height, other.height):
        return "left" if one.right <= other.left else "right"
    if down <= 0 and across >= OVERLAP * min(one.width, other.width):
        return "above" if one.bottom <= other.top else "below"
    return None


def next_to(one: Rect, other: Rect, others: Iterable[Rect]) -> bool:
    """Whether they are side by side, and near, with none of the others between them."""
    if relation(one, other) not in ("left", "right"):
        return False
    start, end = min(one.right, other.right), max(one.left, other.left)
    near = end - start <= NEAR * max(one.width, other.width)
    return near and not any(start < third.centre[0] < end for third in others)


def between(one: Rect, ends: tuple[Rect, Rect]) -> bool:
    """Whether the one is between the two others, in a row or in a column."""
    first, last = relation(one, ends[0]), relation(one, ends[1])
    return (first, last) in (("left", "right"), ("right", "left"), ("above", "below"), ("below", "above"))


def place(rect: Rect) -> str | None:
    """Where in the picture it is, such as `top left`, `left` or `middle`; None where that is hard to tell."""
    x, y = (value / SIDE for value in rect.centre)
    side = "left" if x <= CORNER else "right" if x >= 1 - CORNER else ""
    level = "top" if y <= CORNER else "bottom" if y >= 1 - CORNER else ""
    if side and level:
        return f"{level} {side}"
    if abs(x - 0.5) <= MIDDLE and abs(y - 0.5) <= MIDDLE:
        return "middle"
    edges = {"left": x, "right": 1 - x, "top": y, "bottom": 1 - y}
    edge = min(edges, key=lambda name: edges[name])
    return edge if edges[edge] <= EDGE else None


def size_word(side: float, others: Sequence[float]) -> str | None:
    """`big` or `small` beside the others, or in an empty picture; None where it is neither."""
    if others:
        return "big" if side >= 1.5 * max(others) else "small" if 1.5 * side <= min(others) else None
    return "big" if side >= 0.8 * SIDE else "small" if side <= 0.4 * SIDE else None
