"""Live search beside recording first and uploading then, with real people's words at the pace of speech.

What is measured begins at a word's last sample: how long until the right picture is shown, and stays. Recording first
is taken at its best: somebody who stops at that very sample.
"""

from __future__ import annotations

import csv
import io
import json
import time
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.stream.speech import find_speech, levels_of
from bench.measure import Spread
from models.audio import SAMPLE_RATE, decode
from speechclip_client import Client
from speechclip_client.results import Result

COLLECTION = "images"
LEAD_S, TAIL_S = 0.4, 2.0
PIECE_S = 0.1
BACKGROUND_DB = -65.0  # of the room before and after a word

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Word:
    """A recording, with the room around it. end: seconds to the last sample of speech."""

    text: str
    samples: Samples
    end: float


@dataclass(frozen=True)
class Heard:
    """What one word found. Times are seconds after its last sample; None where the right one was not there at last."""

    shown: float | None
    shown_among_ten: float | None
    early: bool
    """Whether the final answer's first result was shown before the word ended, whatever it is."""
    before_final: bool
    """The same before the final answer."""
    answers: int
    final: float
    uploaded: float
    uploaded_right: bool
    uploaded_among_ten: bool


def words(folder: Path, count: int, seed: int) -> list[Word]:
    """Single words that name, or are a keyword of, some drawing."""
    with (folder / "words.csv").open(newline="") as listed:
        rows = [row for row in csv.DictReader(listed) if row["word"] in answers()]
    chance = Random(seed)
    chosen = chance.sample(rows, min(count, len(rows)))
    return [_in_a_room(row["word"], decode((folder / row["path"]).read_bytes()).samples, seed) for row in chosen]


def answers() -> dict[str, set[str]]:
    """The drawings that are right for a word."""
    right: dict[str, set[str]] = {}
    for drawing in json.loads((files("app.demo") / "lexicon.json").read_text(encoding="utf-8")):
        for phrase in (drawing["name"], *drawing["keywords"]):
            right.setdefault(phrase, set()).add(drawing["id"])
    return right


def live(url: str, spoken: Sequence[Word]) -> list[Heard]:
    """Each word at its own pace, and then once more as a recording."""
    with Client(url) as client:
        client.wait_until_ready()
        return [_listen(client, word, answers()[word.text]) for word in spoken]


def _listen(client: Client, word: Word, right: set[str]) -> Heard:
    clock = _Clock(word)
    told: list[tuple[float, tuple[Result, ...]]] = []
    for answer in client.stream(clock.pieces(), searches={COLLECTION: 10}):
        told.append((clock.since_the_word(), answer.searches[COLLECTION]))
    final = told[-1][1]
    started_at = time.perf_counter()
    uploaded = client.search(COLLECTION, audio=_wav(word), top_k=10).results
    took = time.perf_counter() - started_at
    return Heard(
        shown=_since(told, right, 1),
        shown_among_ten=_since(told, right, 10),
        early=any(at <= 0 and results[0].id == final[0].id for at, results in told),
        before_final=any(results[0].id == final[0].id for _, results in told[:-1]),
        answers=len(told),
        final=told[-1][0],
        uploaded=took,
        uploaded_right=uploaded[0].id in right,
        uploaded_among_ten=any(result.id in right for result in uploaded),
    )


def _since(told: Sequence[tuple[float, tuple[Result, ...]]], right: set[str], among: int) -> float | None:
    """From when on a right one was among the first, to the last."""
    since = None
    for at, results in reversed(told):
        if not any(result.id in right for result in results[:among]):
            break
        since = at
    return since


class _Clock:
    """Sends a word at the pace at which it is spoken."""

    def __init__(self, word: Word) -> None:
        self._word, self._started_at = word, 0.0

    def pieces(self) -> Iterator[bytes]:
        self._started_at = time.perf_counter()
        data, size = (self._word.samples * 32767).astype("<i2").tobytes(), 2 * round(PIECE_S * SAMPLE_RATE)
        for place, start in enumerate(range(0, len(data), size), start=1):
            time.sleep(max(0.0, self._started_at + place * PIECE_S - time.perf_counter()))
            yield data[start : start + size]

    def since_the_word(self) -> float:
        return time.perf_counter() - self._started_at - self._word.end


def _in_a_room(text: str, spoken: Samples, seed: int) -> Word:
    speech = find_speech(levels_of(spoken))
    end = LEAD_S + (len(spoken) / SAMPLE_RATE if speech is None else speech.end)
    quiet = [np.zeros(round(seconds * SAMPLE_RATE), np.float32) for seconds in (LEAD_S, TAIL_S)]
    samples = np.concatenate([quiet[0], spoken, quiet[1]])
    noise = np.random.default_rng(seed).standard_normal(len(samples)) * 10 ** (BACKGROUND_DB / 20)
    return Word(text, np.clip(samples + noise, -1, 1).astype(np.float32), end)


def _wav(word: Word) -> bytes:
    """The recording that was stopped at the word's end."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes((word.samples[: round(word.end * SAMPLE_RATE)] * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def live_rows(heard: Sequence[Heard]) -> list[dict[str, Any]]:
    """The table of live search."""
    return [
        _row("live, right and first", [one.shown for one in heard]),
        _row("uploaded, right and first", [one.uploaded if one.uploaded_right else None for one in heard]),
        _row("live, right among the first 10", [one.shown_among_ten for one in heard]),
        _row("uploaded, right among the first 10", [one.uploaded if one.uploaded_among_ten else None for one in heard]),
    ]


def _row(name: str, times: Sequence[float | None]) -> dict[str, Any]:
    right = [at for at in times if at is not None]
    return {
        "": name,
        "words": f"{len(right)} of {len(times)}",
        "ms after the word": Spread.of([1000 * at for at in right]) if right else None,
        "before its end": f"{sum(at <= 0 for at in right)} of {len(right)}",
    }


def live_facts(heard: Sequence[Heard]) -> list[dict[str, Any]]:
    """What else is to be told of them."""
    return [
        {"": "final first result shown before the word's last sample", "is": _share([one.early for one in heard])},
        {"": "final first result shown before the final answer", "is": _share([one.before_final for one in heard])},
        {"": "answers for a word", "is": Spread.of([one.answers for one in heard])},
        {"": "final answer, seconds after the word", "is": Spread.of([one.final for one in heard])},
    ]


def _share(happened: Sequence[bool]) -> str:
    return f"{sum(happened)} of {len(happened)}"
