"""A data set becomes vectors: what is whose, what is left out, and what is not done twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fake_encoder import WORDS, FakeEncoder
from tests.training.evaluation.spoken_words import Memory, dataset, fake_embedder, pair
from training.datasets import Dataset, Pair
from training.evaluation.embedder import Batch
from training.evaluation.embedding import NO_TEXT, Embedded, embed
from training.evaluation.errors import EvaluationError
from training.evaluation.local import LocalEmbedder

FIVE = [pair(number, word, text=f"a {word}") for number, word in enumerate(WORDS)]


def embedded(pairs: Sequence[Pair], work: Path, encoder: FakeEncoder | None = None, batch: int = 2) -> Embedded:
    return embed(dataset(pairs), fake_embedder(encoder), work, batch, lambda step, done, total: None)


def test_everything_is_told_whose_it_is(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    pairs = [
        pair(0, "cat", text="a cat"),
        pair(1, "dog", text="a dog"),
        pair(2, "cat", text="the cat"),
        pair(3, "dog", text="a dog"),
        pair(4, "apple"),
    ]

    found = embedded(pairs, tmp_path, encoder)

    assert found.image_of.tolist() == [0, 1, 0, 1, 2]
    assert found.text_of.tolist() == [0, 1, 2, 1, NO_TEXT]
    assert found.shown == ["cat.png", "dog.png", "apple.png"]
    for row, word in enumerate(("cat", "dog", "cat", "dog", "apple")):
        np.testing.assert_allclose(found.speech[row], encoder.vector(word), atol=1e-6)
    np.testing.assert_allclose(found.images[1], encoder.vector("dog"), atol=1e-6)
    np.testing.assert_allclose(found.texts[2], encoder.vector("the cat"), atol=1e-6)
    assert found.faults == []


def test_of_an_image_that_is_there_several_times_the_first_is_taken(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    pairs = [pair(0, "dog"), pair(1, "cat"), replace(pair(2, "dog"), image=pair(9, "rocket").image), pair(3, "dog")]

    found = embedded(pairs, tmp_path, encoder)

    assert found.shown == ["dog.png", "cat.png"]
    np.testing.assert_allclose(found.images[0], encoder.vector("dog"), atol=1e-6)


def test_a_copy_that_cannot_be_read_takes_no_utterance_with_it(tmp_path: Path) -> None:
    broken = replace(pair(0, "dog"), image=Memory("noise.png", b"no image"))

    found = embedded([broken, pair(1, "cat"), pair(2, "dog")], tmp_path)

    assert found.image_of.tolist() == [0, 1, 0]
    assert found.shown == ["dog.png", "cat.png"]
    assert [fault.name for fault in found.faults] == ["noise.png"]


def test_what_cannot_be_used_is_left_out_with_all_that_belongs_to_it_and_told(tmp_path: Path) -> None:
    pairs = [
        replace(FIVE[0], audio=Memory("noise.wav", b"no audio")),
        FIVE[1],
        replace(FIVE[2], image=Memory("noise.png", b"no image")),
        replace(FIVE[3], audio=Memory("gone.wav", None)),
        FIVE[4],
    ]

    found = embedded(pairs, tmp_path)

    assert [one.utterance for one in found.pairs] == ["1", "4"]
    assert found.image_of.tolist() == found.text_of.tolist() == [0, 1]
    assert found.shown == ["cat.png", "guitar.png"]
    assert found.speech.shape == found.images.shape == found.texts.shape == (2, 16)
    assert [fault.name for fault in found.faults] == ["noise.wav", "gone.wav", "noise.png"]
    assert [fault.reason for fault in found.faults][1] == "gone.wav is gone"


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([], "there is no utterance in it"),
        ([replace(FIVE[0], audio=Memory("gone.wav", None))], "gone.wav: gone.wav is gone"),
        ([replace(FIVE[0], image=Memory("x.png", b""))], "x.png: these 0 bytes"),
    ],
)
def test_nothing_to_use_is_refused(tmp_path: Path, pairs: list[Pair], told: str) -> None:
    with pytest.raises(EvaluationError, match="nothing of words, split test, can be used") as caught:
        embedded(pairs, tmp_path)

    assert told in str(caught.value)


def test_speed_is_of_what_was_heard(tmp_path: Path) -> None:
    speed = embedded([*FIVE, replace(pair(5, "dog"), audio=Memory("gone.wav", None))], tmp_path).speed

    assert (speed.utterances, speed.batch) == (5, 2)
    assert speed.audio_seconds == pytest.approx(sum(0.3 + 0.01 * n for n in range(5)), abs=0.01)
    assert speed.seconds > 0
    assert speed.ms_per_utterance == pytest.approx(1000 / speed.utterances_per_second)


class Killed(BaseException):
    """As by a signal."""


class DiesAt(LocalEmbedder):
    """Ends with the utterance of a word."""

    word: str | None = None

    def speech(self, files: Sequence[bytes]) -> Batch:
        batch = super().speech(files)
        if self.word is not None and any(np.allclose(row, FakeEncoder().vector(self.word)) for row in batch.vectors):
            raise Killed
        return batch


def mortal(encoder: FakeEncoder, word: str | None) -> DiesAt:
    whole = fake_embedder(encoder)
    embedder = DiesAt(encoder, whole.branch, "service", whole._hear)
    embedder.word = word
    return embedder


def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    encoder, words = FakeEncoder(), dataset(FIVE)
    with pytest.raises(Killed):
        embed(words, mortal(encoder, "rocket"), tmp_path, 1, lambda step, done, total: None)
    encoder.forget()

    steps: list[tuple[str, int, int]] = []
    found = embed(words, mortal(encoder, None), tmp_path, 1, lambda *step: steps.append(step))

    assert [word for word in encoder.seen if word in WORDS][:3] == ["rocket", "rocket", "guitar"]  # the first warms up
    whole = embedded(FIVE, tmp_path / "afresh", batch=1)
    np.testing.assert_array_equal(found.speech, whole.speech)
    np.testing.assert_array_equal(found.images, whole.images)
    assert steps[:3] == [("speech parallel", 0, 5), ("speech parallel", 1, 5), ("speech parallel", 2, 5)]


def test_nothing_is_done_twice(tmp_path: Path) -> None:
    first, encoder = embedded(FIVE, tmp_path), FakeEncoder()

    again = embedded(FIVE, tmp_path, encoder)

    assert encoder.batches == []
    for one, other in ((first.speech, again.speech), (first.images, again.images), (first.texts, again.texts)):
        np.testing.assert_array_equal(one, other)
    assert first.speed == again.speed


def test_a_file_that_has_changed_is_embedded_anew(tmp_path: Path) -> None:
    embedded(FIVE, tmp_path)
    encoder = FakeEncoder()

    found = embedded([replace(FIVE[0], audio=pair(0, "guitar").audio), *FIVE[1:]], tmp_path, encoder)

    np.testing.assert_allclose(found.speech[0], encoder.vector("guitar"), atol=1e-6)
    assert encoder.batches == [("speech", 1), ("speech", 2)]  # to warm up, and the batch that it is in


def test_another_model_has_vectors_of_its_own(tmp_path: Path) -> None:
    embedded(FIVE, tmp_path)
    encoder = FakeEncoder(dim=8)

    assert embedded(FIVE, tmp_path, encoder).speech.shape == (5, 8)
    assert len(encoder.batches) > 3


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY"])
def test_what_broke_off_on_disk_is_made_again(tmp_path: Path, content: bytes) -> None:
    first = embedded(FIVE, tmp_path)
    for path in tmp_path.rglob("*.npz"):
        path.write_bytes(content)

    np.testing.assert_array_equal(embedded(FIVE, tmp_path).speech, first.speech)


def test_no_half_files_are_left_behind(tmp_path: Path) -> None:
    embedded(FIVE, tmp_path)

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".npz"}
    assert len(files) == 3 + 1 + 1  # batches of speech, of images and of texts


def test_a_model_whose_vectors_are_no_numbers_is_refused_before_they_are_kept(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    broken = LocalEmbedder(encoder, "parallel", "service", lambda waves: (np.full((len(waves), 16), np.nan), []))

    with pytest.raises(EvaluationError, match="no numbers"):
        embed(dataset(FIVE), broken, tmp_path, 2, lambda step, done, total: None)

    assert list(tmp_path.rglob("*.npz")) == []


def test_an_empty_batch_of_files_is_no_problem(tmp_path: Path) -> None:
    gone = [replace(one, audio=Memory("gone.wav", None)) for one in FIVE[:2]]
    found = embed(Dataset("words", "test", [*gone, *FIVE[2:]], ()), fake_embedder(), tmp_path, 2, lambda *step: None)

    assert len(found.pairs) == 3
