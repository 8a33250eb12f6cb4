"""A data set becomes vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.datasets import Dataset, Pair
from training.evaluation.batches import Advance, Fault, InBatches
from training.evaluation.embedder import Batch, Embedder, Vectors
from training.evaluation.errors import EvaluationError

IMAGES_AT_ONCE, TEXTS_AT_ONCE = 16, 64
NO_TEXT = -1

T = TypeVar("T")


@dataclass(frozen=True)
class Text:
    """A caption as a source of bytes."""

    name: str

    def read(self) -> bytes:
        return self.name.encode()


@dataclass(frozen=True)
class Speed:
    """How long the model took for utterances in batches of so many. All in seconds.

    Of a model folder it is the time in the model; of a service all the time until it has answered.
    """

    utterances: int
    batch: int
    audio_seconds: float
    seconds: float

    @property
    def ms_per_utterance(self) -> float:
        return 1000 * self.seconds / self.utterances

    @property
    def utterances_per_second(self) -> float:
        return self.utterances / self.seconds

    @property
    def real_time_factor(self) -> float:
        """What a second of audio takes."""
        return self.seconds / self.audio_seconds


@dataclass(frozen=True)
class Embedded:
    """N utterances, I images and T different texts of a data set, in its order.

    speech (N, E), images (I, E), texts (T, E): unit vectors
    image_of, text_of: (N,) whose image and text; -1 where there is no text
    subwords: (N, K) as in `Batch`; shown: the file of every image; faults: what takes no part
    """

    pairs: Sequence[Pair]
    speech: Vectors
    images: Vectors
    texts: Vectors
    image_of: NDArray[np.int64]
    text_of: NDArray[np.int64]
    subwords: NDArray[np.int64]
    shown: Sequence[str]
    faults: Sequence[Fault]
    speed: Speed


def embed(dataset: Dataset, embedder: Embedder, work: Path, batch: int, advance: Advance) -> Embedded:
    """Everything in a data set; what cannot be read is left out, and told. Raises `EvaluationError`.

    batch: utterances at a time, in the order of the data set. Of several images with the same id the first one that can
    be read is taken.
    """
    images = list(dict.fromkeys((pair.image_id, pair.image) for pair in dataset.pairs))
    steps = InBatches(embedder, work, advance)
    audio = [pair.audio for pair in dataset.pairs]
    heard = steps.run(f"speech {embedder.branch}", embedder.speech, audio, batch, warm=True)
    seen = steps.run("images", embedder.images, [image for _, image in images], IMAGES_AT_ONCE)
    seen_at = dict[int, int]()
    for row, ((id, _), reason) in enumerate(zip(images, seen.reasons, strict=True)):
        if not reason:
            seen_at.setdefault(id, row)
    rows = [row for row, pair in enumerate(dataset.pairs) if not heard.reasons[row] and pair.image_id in seen_at]
    pairs = [dataset.pairs[row] for row in rows]
    _require_some(pairs, dataset, steps.faults)
    texts = [Text(text) for text in dict.fromkeys(pair.text for pair in pairs) if text]
    read = steps.run("texts", embedder.texts, texts, TEXTS_AT_ONCE)
    read_at = {text.name: row for row, (text, reason) in enumerate(zip(texts, read.reasons, strict=True)) if not reason}
    ids, said = list(dict.fromkeys(pair.image_id for pair in pairs)), list(read_at)
    return Embedded(
        pairs,
        heard.vectors[rows],
        seen.vectors[[seen_at[id] for id in ids]],
        read.vectors[list(read_at.values())],
        _places([pair.image_id for pair in pairs], ids),
        _places([pair.text for pair in pairs], said),
        heard.subwords[rows],
        [images[seen_at[id]][1].name for id in ids],
        steps.faults,
        _speed(heard, batch),
    )


def _require_some(pairs: Sequence[Pair], dataset: Dataset, faults: Sequence[Fault]) -> None:
    if not pairs:
        reason = f"{faults[0].name}: {faults[0].reason}" if faults else "there is no utterance in it"
        raise EvaluationError(f"nothing of {dataset.name}, split {dataset.split}, can be used: {reason}")


def _places(values: Sequence[T | None], known: Sequence[T]) -> NDArray[np.int64]:
    place: dict[T | None, int] = {value: row for row, value in enumerate(known)}
    return np.array([place.get(value, NO_TEXT) for value in values], np.int64)


def _speed(heard: Batch, batch: int) -> Speed:
    usable = sum(not reason for reason in heard.reasons)
    return Speed(usable, batch, float(heard.audio_seconds.sum()), heard.seconds)
