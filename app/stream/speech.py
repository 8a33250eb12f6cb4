"""Where in a recording somebody speaks: what stands out from the quietest of it, by its level alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE

FRAME_S = 0.02
FRAME = round(FRAME_S * SAMPLE_RATE)
RUN = 3  # frames in a row that are loud; less is a click
LEAST_S = 0.12  # of loud frames: a shorter sound is no word
FLOOR = 0.125  # the share of the frames that is taken for the background
ABOVE_FLOOR_DB, BELOW_PEAK_DB, FAINT_DB = 10.0, 35.0, -55.0
PEAK_FRAME = 5  # the peak is the level of the fifth loudest frame
CLEARLY_BELOW_PEAK_DB = 12.0
MARGIN_S = 0.4

Levels = NDArray[np.float64]
"""Of frames of 20 ms, in decibels below full scale."""


@dataclass(frozen=True)
class Speech:
    """From the first to the last speech, in seconds."""

    start: float
    end: float

    def padded(self, seconds: float) -> Speech:
        """With 400 ms before and after it, as far as there are any in `seconds` of audio."""
        return Speech(max(0.0, self.start - MARGIN_S), min(seconds, self.end + MARGIN_S))


def find_speech(levels: Levels) -> Speech | None:
    """The speech in audio of which the levels are given; None where nothing stands out.

    Everything heard so far is looked at again each time, so that noise before the first word, which an adaptive
    detector would have to learn from, is judged by what came after it.
    """
    if len(levels) < PEAK_FRAME:
        return None
    loud = _loud(levels)
    if loud is None:
        return None
    runs = np.flatnonzero(np.convolve(loud, np.ones(RUN, np.int64), "valid") == RUN)
    if not len(runs) or loud.sum() * FRAME_S < LEAST_S:
        return None
    return Speech(float(runs[0]) * FRAME_S, float(runs[-1] + RUN) * FRAME_S)


def is_audible(levels: Levels) -> bool:
    """Whether there is any sound above a faint one, steady ones too, which `find_speech` takes for background."""
    return bool((levels > FAINT_DB).any())


def levels_of(samples: NDArray[np.float32]) -> Levels:
    """The level of every whole frame of (time,) samples of 16 kHz."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.einsum("ij,ij->i", frames, frames, dtype=np.float64) / FRAME
    return np.asarray(10 * np.log10(power + 1e-12))


def _loud(levels: Levels) -> NDArray[np.int64] | None:
    """1 for every frame above the threshold; None where the loudest are as the background is."""
    ordered = np.sort(levels)
    floor, peak = ordered[int(len(ordered) * FLOOR)], ordered[-PEAK_FRAME]
    if peak < max(floor + ABOVE_FLOOR_DB, FAINT_DB):
        return None
    # Where speech goes on without a pause its own soft parts are the floor, and the rest must not count as silence.
    above = min(floor + ABOVE_FLOOR_DB, peak - CLEARLY_BELOW_PEAK_DB)
    return np.asarray(levels > max(above, peak - BELOW_PEAK_DB, FAINT_DB), np.int64)
