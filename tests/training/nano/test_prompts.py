"""Telephone prompts, where Debian's package of them is installed."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.audio_files import encode
from tests.training.fake_voices import tone
from training.nano.batches import MAX_SECONDS
from training.nano.prompts import prompts

TRANSCRIPT = """\
; a comment: not a prompt
goodbye: Goodbye.
digits/7: 7
vm-press: Press 'one', please!
beep: [this is a simple beep tone]
absent: There is no such file.
endless: This one is too long.
silent: This one cannot be heard.
faint: This one is as good as silent.
broken: This one is no audio.
nothing: ...
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transcript, sounds = tmp_path / "prompts.txt.gz", tmp_path / "sounds"
    transcript.write_bytes(gzip.compress(TRANSCRIPT.encode()))
    lengths = {
        "goodbye": 0.5,
        "digits/7": 0.4,
        "vm-press": 1.0,
        "beep": 0.2,
        "endless": MAX_SECONDS + 0.5,
        "nothing": 0.5,
    }
    waves = {name: tone(name, seconds) for name, seconds in lengths.items()}
    waves |= {"silent": np.zeros(8_000, np.float32), "faint": tone("faint", 0.5, loudness=8e-5)}
    for name, wave in waves.items():
        path = sounds / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(wave, 16_000, "wav-float"))
    (sounds / "broken.wav").write_bytes(b"no audio")
    monkeypatch.setattr("training.nano.prompts.TRANSCRIPT", transcript)
    monkeypatch.setattr("training.nano.prompts.SOUNDS", sounds)


@pytest.mark.usefixtures("installed")
def test_prompts_of_words_that_are_short_and_audible_are_read() -> None:
    found = {words: wave for words, wave in prompts() if len(wave)}

    assert list(found) == ["goodbye", "press 'one' please"]
    assert len(found["goodbye"]) == pytest.approx(0.5 * 16_000, rel=0.05)
    assert np.abs(found["goodbye"]).max() == pytest.approx(1)


def test_without_the_package_there_are_none() -> None:
    assert list(prompts()) == []
