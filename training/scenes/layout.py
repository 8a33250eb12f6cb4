"""Where things are put: the picture is divided into cells without overlap, so that relations are plain to see."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from training.scenes.geometry import SIDE, Rect

MARGIN = 3
ROWS = {
    1: ((1,),),
    2: ((2,), (1, 1)),
    3: ((3,), (1, 1, 1), (2, 1), (1, 2)),
    4: ((4,), (1, 1, 1, 1), (2, 2)),
}
"""Number of things -> ways to put them in rows, as the lengths of the rows."""


def cells(counts: Sequence[int], rng: random.Random) -> list[Rect]:
    """A part of the picture for each group of things, larger for those of many."""
    whole = Rect(MARGIN, MARGIN, SIDE - MARGIN, SIDE - MARGIN)
    shares = [count**0.7 * rng.uniform(0.85, 1.15) for count in counts]
    across = rng.random() < 0.5
    match len(counts):
        case 1 | 2:
            return _divided(whole, shares, across)
        case 3:
            return _three(whole, shares, across, rng)
    first, second = _divided(whole, [sum(shares[:2]), sum(shares[2:])], across)
    return [*_divided(first, shares[:2], not across), *_divided(second, shares[2:], not across)]


def _three(whole: Rect, shares: Sequence[float], across: bool, rng: random.Random) -> list[Rect]:
    """In a row, in a column, or one beside two."""
    if rng.random() < 0.4:
        return _divided(whole, shares, across)
    if rng.random() < 0.5:
        one, two = _divided(whole, [shares[0], sum(shares[1:])], across)
        return [one, *_divided(two, shares[1:], not across)]
    two, one = _divided(whole, [sum(shares[:2]), shares[2]], across)
    return [*_divided(two, shares[:2], not across), one]


def _divided(rect: Rect, shares: Sequence[float], across: bool) -> list[Rect]:
    start, end = (rect.left, rect.right) if across else (rect.top, rect.bottom)
    ends = [start + (end - start) * sum(shares[:n]) / sum(shares) for n in range(len(shares) + 1)]
    pairs = pairwise(ends)
    if across:
        return [Rect(a, rect.top, b, rect.bottom) for a, b in pairs]
    return [Rect(rect.left, a, rect.right, b) for a, b in pairs]


def squares(cell: Rect, count: int, fill: float, alone: bool, rng: random.Random) -> list[Rect]:
    """So many squares in a cell, none of which overlap: as large as they can be, times `fill` (0 to 1).

    alone: with nothing else in the picture, they may be anywhere.
    """
    rows = max(rng.sample(ROWS[count], len(ROWS[count])), key=lambda rows: _side(cell, rows))
    side, stray = _side(cell, rows) * fill, (0.0, 1.0) if alone else (0.3, 0.7)
    found = []
    for number, length in enumerate(rows):
        for place in range(length):
            slot = _slot(cell, (number, len(rows)), (place, length))
            size = side * rng.uniform(0.94, 1.0)
            left = slot.left + (slot.width - size) * rng.uniform(*stray)
            top = slot.top + (slot.height - size) * rng.uniform(*stray)
            found.append(Rect(left, top, left + size, top + size))
    return found


def _side(cell: Rect, rows: Sequence[int]) -> float:
    return min(cell.width / max(rows), cell.height / len(rows))


def _slot(cell: Rect, row: tuple[int, int], place: tuple[int, int]) -> Rect:
    """The place of so many in the row of so many."""
    width, height = cell.width / place[1], cell.height / row[1]
    left, top = cell.left + place[0] * width, cell.top + row[0] * height
    return Rect(left, top, left + width, top + height)
