"""Retrieval: exactly as the authors count it, and what a text finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.evaluation.spoken_words import pair
from training.evaluation.embedding import NO_TEXT, Embedded, Speed
from training.evaluation.figures import Exchange, speech_and_images, speech_and_texts
from training.nano.retrieval import RANKS

Vectors = NDArray[np.float32]


def embedded(
    speech: Vectors, images: Vectors, image_of: Sequence[int], texts: Vectors | None = None, text_of: Sequence[int] = ()
) -> Embedded:
    count = len(speech)
    return Embedded(
        [pair(0, "dog")] * count,
        speech,
        images,
        np.zeros((0, speech.shape[1]), np.float32) if texts is None else texts,
        np.asarray(image_of),
        np.asarray(text_of) if len(text_of) else np.full(count, NO_TEXT),
        np.zeros((count, 0), np.int64),
        [f"{n}.png" for n in range(len(images))],
        [],
        Speed(count, 1, 1.0, 1.0),
    )


def random(seed: int, count: int, dim: int = 8) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def tasks(exchange: Exchange) -> list[tuple[str, str, int, int]]:
    return [(task.query, task.target, task.recall.utterances, task.gallery) for task in (exchange.there, exchange.back)]


def test_recall_is_that_of_the_authors(parity: Path) -> None:
    with np.load(parity / "units" / "units.npz") as units:
        theirs = {name.removeprefix("retrieval/"): units[name] for name in units if name.startswith("retrieval/")}
    ids = theirs["image_ids"].tolist()
    found = speech_and_images(
        embedded(theirs["audio_feat"], theirs["image_feat"], [ids.index(id) for id in theirs["audio_ids"].tolist()])
    )

    for k in RANKS:
        ours = {"AI": found.there.recall.at[k], "IA": found.back.recall.at[k], "mean": found.mean.at[k]}
        for direction, percent in ours.items():
            np.testing.assert_allclose(percent, theirs[f"{direction}/recall@{k}"], rtol=0, atol=1e-4)
    assert found.mean.over_all == pytest.approx(sum(theirs[f"mean/recall@{k}"] for k in RANKS) / 3, abs=1e-4)


def test_any_caption_of_an_image_answers_it() -> None:
    images = np.eye(2, dtype=np.float32)
    found = speech_and_images(embedded(images[[0, 1, 1]], images, [0, 0, 1]))

    assert tasks(found) == [("speech", "image", 3, 2), ("image", "speech", 2, 3)]
    assert found.there.ranks.by_position.tolist() == [1, 2, 1]
    assert found.back.ranks.by_position.tolist() == [1, 2]  # the wrong one is nearer, or as near and before it
    assert found.back.ties == {1: (50.0, 100.0)}


def test_intervals_of_the_mean_hold_it() -> None:
    image_of = np.repeat(np.arange(40), 5)
    images = random(0, 40)
    found = speech_and_images(embedded(images[image_of] + 0.5 * random(1, 200), images, image_of.tolist()))

    for k in RANKS:
        low, high = found.mean.intervals[k]
        assert low <= found.mean.at[k] <= high
    assert found.mean.intervals[1][0] < found.mean.at[1] < found.mean.intervals[1][1]


def test_texts_are_answered_by_image_and_by_their_own_caption() -> None:
    # Two captions of each of two images; the second caption of the first image is said of the other one, too.
    texts = np.eye(3, 4, dtype=np.float32)
    speech = np.eye(4, dtype=np.float32)[[0, 0, 2, 1]]
    by_image, own = speech_and_texts(
        embedded(speech, np.eye(2, 4, dtype=np.float32), [0, 0, 1, 1], texts, [0, 1, 2, 1])
    )

    assert tasks(by_image) == tasks(own) == [("speech", "text", 4, 4), ("text", "speech", 4, 4)]
    assert (by_image.there.answers, own.there.answers) == ("image", "own caption")
    assert by_image.there.ranks.by_position.tolist() == [1, 1, 1, 2]
    assert own.there.ranks.by_position.tolist() == [1, 2, 1, 1]
    assert by_image.back.ranks.by_position.tolist() == [1, 2, 1, 1]
    assert own.back.ranks.by_position.tolist() == [1, 1, 1, 1]


def test_utterances_without_a_text_take_no_part_where_texts_do() -> None:
    texts = np.eye(2, dtype=np.float32)
    found = speech_and_texts(embedded(texts[[0, 0, 1]], texts, [0, 0, 1], texts, [0, NO_TEXT, 1]))

    assert [tasks(exchange)[0] for exchange in found] == [("speech", "text", 2, 2)] * 2


def test_no_texts_no_figures() -> None:
    images = np.eye(2, dtype=np.float32)

    assert speech_and_texts(embedded(images, images, [0, 1])) == []
