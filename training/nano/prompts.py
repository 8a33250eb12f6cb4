"""Telephone prompts read by a person (Debian's asterisk-core-sounds-en-wav, CC BY-SA 3.0): practice in listening."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audio import decode
from models.errors import AudioError
from training.nano.batches import MAX_SECONDS
from training.nano.voices import trim

SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
TRANSCRIPT = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")


def prompts() -> Iterator[tuple[str, NDArray[np.float32]]]:
    """(what is said, lower case; waveform at 16 kHz) of every prompt of words that is short enough."""
    if not TRANSCRIPT.exists():
        return
    for line in gzip.decompress(TRANSCRIPT.read_bytes()).decode("utf-8").splitlines():
        name, _, text = line.partition(": ")
        words = re.sub(r"[^a-z' ]", " ", text.lower()).split()
        path = SOUNDS / f"{name}.wav"
        if line.startswith(";") or "[" in text or re.search(r"\d", text) or not words or not path.exists():
            continue
        try:
            wave = trim(decode(path.read_bytes()).samples)
        except AudioError:
            continue
        if len(wave) <= MAX_SECONDS * 16_000:
            yield " ".join(words), wave
