"""What nano hears: synthetic voices, and the people whose recordings may be trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import NotReady
from training.nano.batches import Source, SpokenCorpus, synthetic
from training.nano.neural_voices import is_held_out
from training.nano.people import speech_folder, training_digits
from training.nano.prompts import prompts
from training.nano.speech import Utterance
from training.nano.voices import ENGINES, trim

PEOPLE = "people"
PEOPLE_WEIGHT = 12.0
SCENES_SHARE = 0.3


Weighted = tuple[SpokenCorpus, NDArray[np.float64]]
"""Utterances, and how often each is drawn."""


def heard(shards: Path, wanted: Callable[[str], bool] = lambda phrase: True) -> Weighted:
    """The corpus of all wanted phrases, and how often each utterance is drawn: people more often than machines."""
    corpus = SpokenCorpus(
        [_keep(source, wanted) for source in (*synthetic(shards), _source(_digits()), _source(prompts()))]
    )
    if not len(corpus.rows):
        raise NotReady(f"there is no speech in {shards}: synthesise it first")
    return corpus, _weights(corpus.rows[:, 0], corpus.engines)


def with_scenes(names: Weighted, scenes: Source) -> Weighted:
    """Names and captions: three of ten utterances that are drawn are captions."""
    corpus, weights = names
    share = SCENES_SHARE / (1 - SCENES_SHARE) * weights.sum() / len(scenes[1])
    return corpus.joined(scenes), np.concatenate([weights, np.full(len(scenes[1]), share)])


def _weights(phrases: NDArray[np.int64], engines: NDArray[np.str_]) -> NDArray[np.float64]:
    """Whatever people say is drawn as often from machines: few people would be learned by heart."""
    by_people = engines == PEOPLE
    weights = np.where(by_people, PEOPLE_WEIGHT, _balance(engines, ~by_people))
    count = int(phrases.max()) + 1
    people = np.bincount(phrases, weights * by_people, count)
    machines = np.bincount(phrases, weights * ~by_people, count)
    more = np.maximum(1.0, (people / np.maximum(machines, 1e-9))[phrases])
    return np.where(by_people, weights, weights * more)


def _balance(engines: NDArray[np.str_], machines: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A weight for each machine's utterance, 1 on average, so that engines are heard in the shares that they should."""
    weights = np.ones(len(engines))
    shares = {name: engine.heard for name, engine in ENGINES.items() if name in engines}
    for name, share in shares.items():
        mine = engines == name
        weights[mine] = share / sum(shares.values()) * machines.sum() / mine.sum()
    return weights


def _digits() -> Iterable[tuple[str, NDArray[np.float32]]]:
    folder = speech_folder()
    recordings = training_digits(folder) if folder else ()
    return ((recording.word, trim(recording.wave())) for recording in recordings)


def _source(utterances: Iterable[tuple[str, NDArray[np.float32]]]) -> Source:
    waves, start = [np.zeros(0, np.int16)], 0
    rows: list[Utterance] = []
    for phrase, wave in utterances:
        # Nothing is left of a recording that is as good as silent.
        if not len(wave):
            continue
        waves.append((wave * 32767).astype(np.int16))
        rows.append(Utterance(phrase, PEOPLE, start, len(wave)))
        start += len(wave)
    return np.concatenate(waves), rows


def _keep(source: Source, wanted: Callable[[str], bool]) -> Source:
    samples, rows = source
    return samples, [row for row in rows if wanted(row.phrase) and not is_held_out(row.voice)]
