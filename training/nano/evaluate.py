"""nano's honest numbers: recall on speech it never heard (see the model card)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.nano.conditions import CONDITIONS
from training.nano.lexicon import Lexicon
from training.nano.people import Recording, held_out_digits, recordings, speech_folder
from training.nano.program_voices import HELD_OUT, Flite
from training.nano.retrieval import Recall, best_ranks, ranks_of, recall
from training.nano.stamps import stamps
from training.nano.voices import trim

Wave = NDArray[np.float32]
EmbedSpeech = Callable[[Sequence[Wave]], NDArray[np.float32]]
HearSlots = Callable[[Sequence[Wave]], Sequence[Sequence[NDArray[np.float32]]]]
"""Utterances -> of each the (E,) unit vectors of its keyword slots."""

T = TypeVar("T")

HELD_OUT_WORDS = 400
WORDS = "words"


@dataclass(frozen=True)
class Trial:
    """Utterances, and what is said in each."""

    waves: Sequence[Wave]
    phrases: Sequence[str]


@dataclass(frozen=True)
class Gallery:
    """vectors: (G, E) unit vectors; answers: phrase -> the rows that are right for it."""

    name: str
    vectors: NDArray[np.float32]
    answers: Mapping[str, Sequence[int]]


def words_of_a_person(lexicon: Lexicon) -> Trial | None:
    """One real person's single words that name, or are a keyword of, some emoji."""
    folder = speech_folder()
    return None if folder is None else _people(recordings(folder, "words"), lexicon)


def digits_of_a_person(lexicon: Lexicon) -> Trial | None:
    """The digits of the speaker that was left out of training."""
    folder = speech_folder()
    return None if folder is None else _people(held_out_digits(folder), lexicon)


def animals_of_another_person(lexicon: Lexicon) -> Trial | None:
    """Names of animals, where Debian's package of them is installed."""
    found = list(stamps())
    return _people(found, lexicon) if found else None


@cache
def held_out_voice(lexicon: Lexicon) -> Trial | None:
    """Random single words by the synthetic voice that training never used."""
    if shutil.which("flite") is None:
        return None
    rng, single = random.Random(0), [phrase for phrase in lexicon.phrases if " " not in phrase]
    words = rng.sample(single, min(HELD_OUT_WORDS, len(single)))
    voice = Flite((HELD_OUT,))
    spoken = [(word, trim(voice.speak(word, rng)[0])) for word in words]
    audible = [(word, wave) for word, wave in spoken if len(wave) > 1600]
    return Trial([wave for _, wave in audible], [word for word, _ in audible])


def _people(people: Sequence[Recording], lexicon: Lexicon) -> Trial:
    known = [recording for recording in people if recording.word in lexicon.members]
    return Trial([recording.wave() for recording in known], [recording.word for recording in known])


def drawings_gallery(
    name: str, vectors: NDArray[np.float32], positions: NDArray[np.int64], lexicon: Lexicon
) -> Gallery:
    """positions: (G,) which emoji each drawing shows."""
    row_of = {int(position): row for row, position in enumerate(positions)}
    answers = {phrase: [row_of[n] for n in named if n in row_of] for phrase, named in lexicon.members.items()}
    return Gallery(name, vectors, answers)


def keywords_gallery(vectors: NDArray[np.float32], lexicon: Lexicon) -> Gallery:
    """vectors: those of all phrases of the lexicon, in their order. Right is the phrase itself and nothing else."""
    return Gallery("keywords", vectors, {phrase: [row] for row, phrase in enumerate(lexicon.phrases)})


def in_parts(
    embed: Callable[[Sequence[T]], NDArray[np.float32]], items: Sequence[T], size: int = 256
) -> NDArray[np.float32]:
    """The vectors (N, E) of any number of items, so many at a time."""
    return np.concatenate([embed(items[start : start + size]) for start in range(0, len(items), size)])


def figures(lexicon: Lexicon, galleries: Sequence[Gallery], embed: EmbedSpeech) -> Mapping[str, Recall]:
    """Recall of every trial of the model card; the first gallery is the one that is served, the others are checks."""
    found = {
        f"{name} in {gallery.name}": _recall(trial, gallery, embed)
        for name, trial in trials(lexicon).items()
        for gallery in (galleries if name == WORDS else galleries[:1])
    }
    return {title: recall for title, recall in found.items() if recall is not None}


def slot_figures(lexicon: Lexicon, directions: NDArray[np.float32], hear: HearSlots) -> Mapping[str, Recall]:
    """The same for keyword slots: where the phrase that is said is among all phrases of the lexicon, by their nearest
    slot. directions: (P, E) of the phrases, as slots have them.
    """
    return {
        f"{name} in slots": _slot_recall(trial, lexicon, directions, hear) for name, trial in trials(lexicon).items()
    }


def trials(lexicon: Lexicon) -> Mapping[str, Trial]:
    """All speech of the model card that is here, by its name."""
    words = words_of_a_person(lexicon)
    found = {
        WORDS: words,
        "animals": animals_of_another_person(lexicon),
        "digits": digits_of_a_person(lexicon),
        "held-out voice": held_out_voice(lexicon),
    }
    if words is not None:
        found |= {f"{WORDS} {where}": _heard(words, change) for where, change in CONDITIONS.items()}
    return {name: trial for name, trial in found.items() if trial}


def _heard(trial: Trial, change: Callable[[Wave], Wave]) -> Trial:
    return Trial([change(wave) for wave in trial.waves], trial.phrases)


def _recall(trial: Trial, gallery: Gallery, embed: EmbedSpeech) -> Recall | None:
    """Over the utterances that the gallery has an answer to; None where there is none."""
    known = [n for n, phrase in enumerate(trial.phrases) if gallery.answers.get(phrase)]
    if not known:
        return None
    answers = [gallery.answers[trial.phrases[n]] for n in known]
    return recall(best_ranks(embed([trial.waves[n] for n in known]), gallery.vectors, answers))


def _slot_recall(trial: Trial, lexicon: Lexicon, directions: NDArray[np.float32], hear: HearSlots) -> Recall:
    row_of = {phrase: row for row, phrase in enumerate(lexicon.phrases)}
    ranks = [
        ranks_of(_of_the_nearest(slots, directions), np.array([row_of[phrase]]))[0]
        for slots, phrase in zip(hear(trial.waves), trial.phrases, strict=True)
    ]
    return recall(np.array(ranks, np.int64))


def _of_the_nearest(slots: Sequence[NDArray[np.float32]], directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """(P,) the score of each phrase with the slot that is nearest to it; an utterance may have no slot."""
    scores = [directions @ slot for slot in slots] or [np.full(len(directions), -1, np.float32)]
    return np.asarray(np.max(scores, axis=0), np.float32)
