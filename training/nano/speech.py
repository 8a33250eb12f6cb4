"""The spoken corpus: phrases spoken by synthetic voices, in shards that can be made in any order and resumed.

A shard is `<n>.npy` (int16, all utterances end to end, 16 kHz) and `<n>.json` (one row per utterance). Its number is
its seed, so the same shard comes out again wherever it is made with the same voices.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from training.nano.lexicon import Lexicon, load_lexicon
from training.nano.voices import ENGINES, Voice, trim

SHARD_UTTERANCES = 2_000
MIN_S, MAX_S = 0.15, 3.0
SINGLE_WORD_WEIGHT = 3.0


@dataclass(frozen=True)
class Utterance:
    phrase: str
    voice: str
    start: int
    length: int


def phrase_weights(lexicon: Lexicon) -> list[float]:
    """Single words are what people say most: they are drawn more often than long names."""
    return [SINGLE_WORD_WEIGHT if " " not in phrase else 1.0 for phrase in lexicon.phrases]


def make_shard(packages: Path, out: Path, number: int, utterances: int = SHARD_UTTERANCES) -> Path:
    """Synthesise shard `number` into `out`, unless it is there already."""
    done = out / f"{number:05d}.json"
    if done.exists():
        return done
    lexicon, rng = load_lexicon(packages), random.Random(number)
    phrases = rng.choices(lexicon.phrases, phrase_weights(lexicon), k=utterances)
    names, shares = list(ENGINES), [engine.spoken for engine in ENGINES.values()]
    engines: dict[str, Voice] = {}
    rows, waves, position = [], [np.zeros(0, np.int16)], 0
    for phrase in phrases:
        name = rng.choices(names, shares)[0]
        if name not in engines:
            engines[name] = ENGINES[name].make(packages)
        wave, label = engines[name].speak(phrase, rng)
        wave = trim(wave)
        if not MIN_S * SAMPLE_RATE <= len(wave) <= MAX_S * SAMPLE_RATE:
            continue
        waves.append((wave * 32767).astype(np.int16))
        rows.append(Utterance(phrase, label, position, len(wave)))
        position += len(wave)
    _write(out, number, np.concatenate(waves), rows)
    return done


def _write(out: Path, number: int, samples: NDArray[np.int16], rows: Sequence[Utterance]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / f"{number:05d}.npy", samples)
    partial = out / f"{number:05d}.partial"
    partial.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
    os.replace(partial, out / f"{number:05d}.json")


def make_corpus(packages: Path, out: Path, shards: range, workers: int) -> Iterator[Path]:
    """Make every missing shard, yielding each as it is done."""
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(make_shard, packages, out, number) for number in shards]
        for job in jobs:
            yield job.result()


def read_shard(index: Path) -> tuple[NDArray[np.int16], list[Utterance]]:
    """Samples (memory-mapped) and rows of one shard, given its `.json`."""
    rows = [Utterance(**row) for row in json.loads(index.read_text(encoding="utf-8"))]
    return np.load(index.with_suffix(".npy"), mmap_mode="r"), rows
