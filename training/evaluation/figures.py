"""Retrieval between speech, images and texts (spec section 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.embedder import Vectors
from training.evaluation.embedding import NO_TEXT, Embedded
from training.nano.retrieval import RANKS, Ranks, Recall, interval, rank, recall, resampled

Answers = Literal["image", "own caption"]
"""What is right: everything of the same image, or what says the very same."""
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """One direction: what is asked with, what is searched, and how many there are of it.

    ties: k -> recall if equal scores are always broken against and for the right answer, where that makes a difference
    """

    query: str
    target: str
    answers: Answers
    gallery: int
    ranks: Ranks
    recall: Recall
    ties: Mapping[int, tuple[float, float]]


@dataclass(frozen=True)
class Mean:
    """The mean of two directions: k -> per cent, and its 95 % interval; `over_all`: the mean of these."""

    at: Mapping[int, float]
    intervals: Mapping[int, tuple[float, float]]
    over_all: float


@dataclass(frozen=True)
class Exchange:
    """Both directions between speech and something else."""

    there: Task
    back: Task
    mean: Mean


def speech_and_images(embedded: Embedded) -> Exchange:
    """Image to speech: any caption of the image is right."""
    images = np.arange(len(embedded.images))
    return _exchange("image", "image", embedded.speech, embedded.images, embedded.image_of, images, embedded.image_of)


def speech_and_texts(embedded: Embedded) -> Sequence[Exchange]:
    """Zero-shot, over the utterances that have a text, each a text of the gallery; empty where there is none.

    By image: any caption of the same image is right. By own caption: whatever says the same, which is the utterance's
    own caption unless somebody else's is word for word the same.
    """
    told = np.flatnonzero(embedded.text_of != NO_TEXT)
    if not len(told):
        return []
    said, speech = embedded.text_of[told], embedded.speech[told]
    texts, images = embedded.texts[said], embedded.image_of[told]
    by_image = _exchange("text", "image", speech, texts, images, images, images)
    return [by_image, _exchange("text", "own caption", speech, texts, said, said, images)]


def _exchange(
    other: str, answers: Answers, speech: Vectors, others: Vectors, spoken: Places, kept: Places, images: Places
) -> Exchange:
    """spoken, kept: equal where an utterance and another thing belong together; images: whose the utterances are."""
    groups = np.unique(images, return_inverse=True)[1]
    # One thing of each image is there in the one case, and one for each utterance in the other.
    others_groups = groups if len(others) == len(speech) else np.arange(len(others))
    there = _task("speech", other, answers, rank(speech, others, _members(spoken, kept)), groups, len(others))
    back = _task(other, "speech", answers, rank(others, speech, _members(kept, spoken)), others_groups, len(speech))
    return Exchange(there, back, _mean(there, back, groups, others_groups))


def _task(query: str, target: str, answers: Answers, ranks: Ranks, groups: Places, gallery: int) -> Task:
    found = recall(ranks.by_position, RANKS, groups, digits=None)
    ties = {k: (_percent(ranks.unluckiest, k), _percent(ranks.luckiest, k)) for k in RANKS}
    told = {k: bounds for k, bounds in ties.items() if bounds[0] != bounds[1]}
    return Task(query, target, answers, gallery, ranks, found, told)


def _mean(there: Task, back: Task, groups: Places, others_groups: Places) -> Mean:
    """Both directions are drawn anew together: they are about the same images."""
    rates = [
        resampled(task.ranks.by_position[:, None] <= np.asarray(RANKS), by)
        for task, by in ((there, groups), (back, others_groups))
    ]
    at = {k: (there.recall.at[k] + back.recall.at[k]) / 2 for k in RANKS}
    return Mean(at, interval((rates[0] + rates[1]) / 2, RANKS, digits=None), sum(at.values()) / len(at))


def _percent(ranks: Places, k: int) -> float:
    return 100 * float((ranks <= k).mean())


def _members(queries: Places, gallery: Places) -> list[Places]:
    """For each query the positions in the gallery that have the same number."""
    order = np.argsort(gallery, kind="stable")
    first, last = (np.searchsorted(gallery[order], queries, side) for side in ("left", "right"))
    return [order[start:end] for start, end in zip(first, last, strict=True)]
