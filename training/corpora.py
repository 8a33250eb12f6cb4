"""What nano hears: synthetic voices, and the people whose recordings may be trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.batches import Source, SpokenCorpus, synthetic
from training.errors import NotReady
from training.people import speech_folder, training_digits
from training.prompts import prompts
from training.voices import trim

PEOPLE_WEIGHT = 6.0


def heard(
    shards: Path, wanted: Callable[[str], bool] = lambda phrase: True
) -> tuple[SpokenCorpus, NDArray[np.float64]]:
    """The corpus of all wanted phrases, and how often each utterance is drawn: people more often than machines."""
    machines = [_keep(source, wanted) for source in synthetic(shards)]
    people = [_keep(source, wanted) for source in (_source(_digits()), _source(prompts()))]
    corpus = SpokenCorpus([*machines, *people])
    if not len(corpus.rows):
        raise NotReady(f"there is no speech in {shards}: synthesise it first")
    by_people = np.zeros(len(corpus.rows), bool)
    spoken_by_people = sum(len(rows) for _, rows in people)
    by_people[len(by_people) - spoken_by_people :] = True
    return corpus, _weights(corpus.rows[:, 0], by_people)


def _weights(phrases: NDArray[np.int64], by_people: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Whatever people say is drawn as often from machines: few people would be learned by heart."""
    weights = np.where(by_people, PEOPLE_WEIGHT, 1.0)
    count = int(phrases.max()) + 1
    people = np.bincount(phrases, weights * by_people, count)
    machines = np.bincount(phrases, ~by_people, count)
    return np.where(by_people, weights, np.maximum(1.0, (people / np.maximum(machines, 1))[phrases]))


def _digits() -> Iterable[tuple[str, NDArray[np.float32]]]:
    folder = speech_folder()
    recordings = training_digits(folder) if folder else ()
    return ((recording.word, trim(recording.wave())) for recording in recordings)


def _source(utterances: Iterable[tuple[str, NDArray[np.float32]]]) -> Source:
    waves, rows, start = [np.zeros(0, np.int16)], [], 0
    for phrase, wave in utterances:
        # Nothing is left of a recording that is as good as silent.
        if not len(wave):
            continue
        waves.append((wave * 32767).astype(np.int16))
        rows.append((phrase, start, len(wave)))
        start += len(wave)
    return np.concatenate(waves), rows


def _keep(source: Source, wanted: Callable[[str], bool]) -> Source:
    samples, rows = source
    return samples, [row for row in rows if wanted(row[0])]
