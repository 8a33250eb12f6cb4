"""Recall over k as a drawing, SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 40  # margins
MOST_K = 50
COLOURS = ("#1f6fb2", "#d1603d", "#3c8d5a", "#8a5fb0")  # told apart by the colour-blind, too, and by their dashes
DASHES = ("", "7 3", "2 3", "8 3 2 3")


@dataclass(frozen=True)
class Curve:
    """ranks: (Q,) from 1, of the best answer to each query."""

    name: str
    ranks: NDArray[np.int64]


def recall_curves(curves: Sequence[Curve], most_k: int = MOST_K) -> str:
    """How many per cent of the queries have their answer among the nearest k, for k up to `most_k`."""
    parts = [*_axes(most_k)]
    for n, curve in enumerate(curves):
        parts += _curve(curve, n, most_k)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n' + "\n".join(parts) + "\n</svg>\n"


def _axes(most_k: int) -> Iterator[str]:
    yield "<title>Recall at k</title>"
    yield '<g font-family="system-ui, sans-serif" font-size="12" fill="#777" stroke="none">'
    for percent in range(0, 101, 20):
        y = _y(percent)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#7774"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>'
    for k in (1, *range(10, most_k + 1, 10)):
        yield f'<text x="{_x(k, most_k):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{k}</text>'
    yield f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">k</text></g>'


def _curve(curve: Curve, n: int, most_k: int) -> Iterator[str]:
    found = [100 * float((curve.ranks <= k).mean()) for k in range(1, most_k + 1)]
    points = " ".join(f"{_x(k, most_k):.1f},{_y(percent):.1f}" for k, percent in enumerate(found, start=1))
    line = f'stroke="{COLOURS[n % len(COLOURS)]}" stroke-dasharray="{DASHES[n % len(DASHES)]}" stroke-width="2"'
    yield f'<polyline points="{points}" fill="none" {line}/>'
    y = HEIGHT - BOTTOM - 16 - 18 * n
    yield f'<path d="M{WIDTH - 190} {y}h30" {line}/>'
    yield f'<text x="{WIDTH - 152}" y="{y + 4}" font-family="system-ui, sans-serif" font-size="12" fill="#777">'
    yield f"{escape(curve.name)}</text>"


def _x(k: int, most_k: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (k - 1) / (most_k - 1)


def _y(percent: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - percent / 100)
