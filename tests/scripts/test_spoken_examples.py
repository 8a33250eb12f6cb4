"""Prompts of a package become small recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.audio import decode
from scripts.spoken_examples import PROMPTS, write
from tests.fake_encoder import tone, wav

BEFORE_S, TONE_S = 0.5, 0.8


def test_they_are_short_and_as_loud_as_each_other(tmp_path: Path) -> None:
    silence = np.zeros(round(BEFORE_S * 16_000), np.float32)
    for number, name in enumerate(PROMPTS.values(), start=1):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        sound = np.concatenate([silence, tone("dog", TONE_S) / number, silence])
        (tmp_path / name).write_bytes(wav(sound.astype(np.float32)))

    write(tmp_path, tmp_path)

    made = [(tmp_path / f"{word}.mp3").read_bytes() for word in PROMPTS]
    for data in made:
        waveform = decode(data)
        assert waveform.format == "mp3"
        assert waveform.seconds == pytest.approx(TONE_S, abs=0.2)
        assert np.abs(waveform.samples).max() == pytest.approx(0.9, abs=0.1)
        assert len(data) < 5_000
