"""Keywords over the waveform they were heard in, as a drawing: SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from models.branches.keywords import KeywordSlot
from training.evaluation.heard import Utterance

WIDTH, LEFT, RIGHT = 640, 130, 14
TITLE, WAVE, ROW, AXIS = 22, 56, 18, 30  # heights
COLUMNS = 250  # of a waveform; and of an attention, at most
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a5fb0", "#7f7f3a")
MOST_LETTERS = 90  # of a caption
NEAREST = 5  # sub-words that are told of a slot

_END_OF_WORD = "</w>"


def keyword_pictures(heard: Sequence[tuple[str, Utterance]]) -> str:
    """One below the other: what was said, the waveform with the span of each slot over it, and a row for every slot
    with its nearest sub-word, the cosine to it, and its attention over time.
    """
    parts, top = list[str](), 0
    for said, utterance in heard:
        parts += _picture(said, utterance, top)
        top += _height(utterance)
    size = f'viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    font = 'font-family="system-ui, sans-serif" font-size="12" fill="#777"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">\n' + "\n".join(parts) + "\n</svg>\n"


def _height(utterance: Utterance) -> int:
    return TITLE + WAVE + ROW * len(utterance.slots) + AXIS


def _picture(said: str, utterance: Utterance, top: int) -> Iterator[str]:
    seconds = len(utterance.wave) / SAMPLE_RATE
    title = said if len(said) <= MOST_LETTERS else f"{said[: MOST_LETTERS - 1]}…"
    yield f'<g transform="translate(0 {top})">'
    yield f'<text x="0" y="14" font-weight="bold">{_safe(title)}</text>'
    yield from (_span(slot, seconds) for slot in utterance.slots)
    yield f'<path d="{_envelope(utterance.wave)}" fill="#777"/>'
    for slot in utterance.slots:
        yield from _row(slot, seconds)
    yield from _axis(seconds, TITLE + WAVE + ROW * len(utterance.slots))
    yield "</g>"


def _span(slot: KeywordSlot, seconds: float) -> str:
    """Over the waveform."""
    x, end = _x(slot.start, seconds), _x(slot.end, seconds)
    place = f'x="{x:.1f}" y="{TITLE}" width="{end - x:.1f}" height="{WAVE}"'
    return f'<rect {place} fill="{_colour(slot)}" fill-opacity=".25"/>'


def _row(slot: KeywordSlot, seconds: float) -> Iterator[str]:
    bottom, colour = TITLE + WAVE + ROW * (slot.slot + 1), _colour(slot)
    nearest = ", ".join(f"{_word(one.text)} {one.score:.2f}" for one in slot.subwords[:NEAREST])
    told = f"{slot.slot + 1}: {nearest}; {slot.start:.2f} to {slot.end:.2f} s"
    best = slot.subwords[0]
    yield f"<g><title>{_safe(told)}</title>"
    yield f'<text x="0" y="{bottom - 5}" fill="{colour}">{_safe(_word(best.text))} {best.score:.2f}</text>'
    yield f'<path d="{_hill(slot, seconds, bottom)}" fill="{colour}" fill-opacity=".55"/>'
    x, end = _x(slot.start, seconds), _x(slot.end, seconds)
    yield f'<path d="M{x:.1f} {bottom - 1}H{end:.1f}" stroke="{colour}" stroke-width="2"/></g>'


def _axis(seconds: float, y: int) -> Iterator[str]:
    step = next((step for step in (0.5, 1, 2, 5, 10, 30) if seconds / step <= 10), 60)
    for number in range(int(seconds / step) + 1):
        x = _x(number * step, seconds)
        yield f'<path d="M{x:.1f} {TITLE}V{y + 4}" stroke="#7774"/>'
        yield f'<text x="{x:.1f}" y="{y + 16}" text-anchor="middle" font-size="10">{number * step:g} s</text>'


def _envelope(wave: NDArray[np.float32]) -> str:
    loud = _columns(np.abs(wave))
    heights = WAVE / 2 * loud / max(float(loud.max()), 1e-9)
    middle, xs = TITLE + WAVE / 2, LEFT + (np.arange(len(loud)) + 0.5) * (WIDTH - LEFT - RIGHT) / len(loud)
    there = [f"{x:.1f} {middle - height:.1f}" for x, height in zip(xs, heights, strict=True)]
    back = [f"{x:.1f} {middle + height:.1f}" for x, height in zip(xs, heights, strict=True)]
    return f"M{'L'.join([*there, *reversed(back)])}Z"


def _hill(slot: KeywordSlot, seconds: float, bottom: int) -> str:
    """The attention, its peak as high as the row."""
    weights = _columns(slot.attention)
    a_column = len(slot.attention) * slot.frame_seconds / len(weights)
    heights = (ROW - 4) * weights / max(float(weights.max()), 1e-9)
    xs = [_x(min((number + 0.5) * a_column, seconds), seconds) for number in range(len(weights))]
    points = "L".join(f"{x:.1f} {bottom - 1 - height:.1f}" for x, height in zip(xs, heights, strict=True))
    return f"M{xs[0]:.1f} {bottom - 1}L{points}L{xs[-1]:.1f} {bottom - 1}Z"


def _columns(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """At most so many, each the largest of its share."""
    return np.array([share.max() for share in np.array_split(values, min(COLUMNS, len(values)))], np.float32)


def _x(at: float, seconds: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(at, seconds) / seconds


def _colour(slot: KeywordSlot) -> str:
    return COLOURS[slot.slot % len(COLOURS)]


def _word(piece: str) -> str:
    """A piece that does not end a word ends in a hyphen."""
    return piece.removesuffix(_END_OF_WORD) if piece.endswith(_END_OF_WORD) else f"{piece}-"


def _safe(text: str) -> str:
    return escape("".join(char if char.isprintable() else " " for char in text))
