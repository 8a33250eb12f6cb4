"""Recordings of real people. `words` is for evaluation only; of `digits`, one speaker is never trained on."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audio import decode
from training.errors import NotReady

HELD_OUT_SPEAKER = "yweweler"
DEFAULT_FOLDER = Path(__file__).parents[3] / "shared" / "data" / "human-speech"


@dataclass(frozen=True)
class Recording:
    word: str
    speaker: str
    path: Path

    def wave(self) -> NDArray[np.float32]:
        return decode(self.path.read_bytes()).samples


def speech_folder() -> Path | None:
    """The folder of recordings: SPEECHCLIP_HUMAN_SPEECH, or `shared/` beside the project; None where there is none.

    Raises `NotReady` where the variable names no folder.
    """
    if not (named := os.environ.get("SPEECHCLIP_HUMAN_SPEECH")):
        return DEFAULT_FOLDER if DEFAULT_FOLDER.is_dir() else None
    if not Path(named).is_dir():
        raise NotReady(f"SPEECHCLIP_HUMAN_SPEECH is {named}, which is no folder")
    return Path(named)


def recordings(folder: Path, name: str) -> Sequence[Recording]:
    """All recordings of the set `digits` or `words`. Raises `NotReady` where there is no such set."""
    index = folder / f"{name}.csv"
    if not index.is_file():
        raise NotReady(f"{index} is missing: it lists recordings of people")
    with index.open(encoding="utf-8", newline="") as file:
        return [Recording(row["word"].lower(), row["speaker"], folder / row["path"]) for row in csv.DictReader(file)]


def training_digits(folder: Path) -> Sequence[Recording]:
    return [recording for recording in recordings(folder, "digits") if recording.speaker != HELD_OUT_SPEAKER]


def held_out_digits(folder: Path) -> Sequence[Recording]:
    return [recording for recording in recordings(folder, "digits") if recording.speaker == HELD_OUT_SPEAKER]
