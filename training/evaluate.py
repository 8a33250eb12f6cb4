"""nano's honest numbers: recall on speech it never heard (see the model card)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from training.lexicon import Lexicon
from training.people import Recording, held_out_digits, recordings, speech_folder
from training.retrieval import best_ranks, recall_at
from training.voices import HELD_OUT, Flite, trim

Wave = NDArray[np.float32]
EmbedSpeech = Callable[[Sequence[Wave]], NDArray[np.float32]]

HELD_OUT_WORDS = 400


@dataclass(frozen=True)
class Trial:
    """Utterances and, for each, the positions in the lexicon that are right answers."""

    waves: Sequence[Wave]
    members: Sequence[Sequence[int]]
    phrases: Sequence[str]


def words_of_a_person(lexicon: Lexicon) -> Trial | None:
    """One real person's single words that name, or are a keyword of, some emoji."""
    folder = speech_folder()
    return None if folder is None else _people(recordings(folder, "words"), lexicon)


def digits_of_a_person(lexicon: Lexicon) -> Trial | None:
    """The digits of the speaker that was left out of training."""
    folder = speech_folder()
    return None if folder is None else _people(held_out_digits(folder), lexicon)


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
    return _trial([word for word, _ in audible], [wave for _, wave in audible], lexicon)


def _people(people: Sequence[Recording], lexicon: Lexicon) -> Trial:
    known = [recording for recording in people if recording.word in lexicon.members]
    return _trial([recording.word for recording in known], [recording.wave() for recording in known], lexicon)


def _trial(words: Sequence[str], waves: Sequence[Wave], lexicon: Lexicon) -> Trial:
    return Trial(waves, [lexicon.members[word] for word in words], words)


@dataclass(frozen=True)
class Gallery:
    """vectors: (G, E) unit vectors; positions: (G,) the emoji that each of them shows."""

    name: str
    vectors: NDArray[np.float32]
    positions: NDArray[np.int64]


def figures(lexicon: Lexicon, galleries: Sequence[Gallery], embed: EmbedSpeech) -> Mapping[str, Mapping[int, float]]:
    """Recall of every trial of the model card; the first gallery is the one that is served, the others are checks."""
    served, *others = galleries
    trials: Mapping[str, Callable[[Lexicon], Trial | None]]
    trials = {"words": words_of_a_person, "digits": digits_of_a_person, "held-out voice": held_out_voice}
    found = [(f"{name} in {served.name}", trial(lexicon), served) for name, trial in trials.items()]
    found += [(f"words in {other.name}", words_of_a_person(lexicon), other) for other in others]
    return {title: recalls(trial, embed, gallery) for title, trial, gallery in found if trial is not None}


def recalls(trial: Trial, embed: EmbedSpeech, gallery: Gallery) -> Mapping[int, float]:
    """Recall at 1, 5 and 10 over the utterances that the gallery has an answer to; at 0 stands how many these are."""
    row_of = {int(position): row for row, position in enumerate(gallery.positions)}
    members = [[row_of[p] for p in right if p in row_of] for right in trial.members]
    answerable = [n for n, right in enumerate(members) if right]
    if not answerable:
        return {0: 0}
    ranks = best_ranks(embed([trial.waves[n] for n in answerable]), gallery.vectors, [members[n] for n in answerable])
    return {k: round(value, 1) for k, value in recall_at(ranks).items()} | {0: len(answerable)}
