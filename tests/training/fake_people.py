"""A folder of recordings of people, in the layout of the real one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.audio_files import encode
from tests.training.fake_voices import tone
from training.nano.people import HELD_OUT_SPEAKER, Recording

DIGITS = [
    ("zero", "george"),
    ("one", "george"),
    ("two", "jackson"),
    ("one", HELD_OUT_SPEAKER),
    ("two", HELD_OUT_SPEAKER),
]
WORDS = [("dog", "w1"), ("Heart", "w1"), ("giraffe", "w1")]


def write_people(folder: Path, unreadable: Iterable[str] = ()) -> Path:
    """`digits.csv` and `words.csv` with their recordings; those of the speakers in `unreadable` are no audio."""
    for name, spoken in (("digits", DIGITS), ("words", WORDS)):
        (folder / name).mkdir(parents=True)
        lines = ["path,word,speaker"]
        for number, (word, speaker) in enumerate(spoken):
            path = f"{name}/{number}_{speaker}.wav"
            wave = encode(tone(word, 0.3 + 0.05 * number), 16_000, "wav-16")
            (folder / path).write_bytes(b"not to be read" if speaker in unreadable else wave)
            lines.append(f"{path},{word},{speaker}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def said(recordings: Iterable[Recording]) -> list[tuple[str, str]]:
    return [(recording.word, recording.speaker) for recording in recordings]
