"""Pairs become batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.clip import ImagePreprocessor
from models.config import VisionConfig
from tests.training.published.tiny_training import write_corpus
from training.datasets import Pair, open_dataset
from training.published.errors import TrainingError
from training.published.samples import Samples, collate

PIXELS = ImagePreprocessor(VisionConfig(image_size=16, patch_size=8, width=16, layers=1, head_width=8))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus")


def pairs(corpus: Path) -> list[Pair]:
    return list(open_dataset("manifest", corpus, "train").pairs)


def test_a_batch_has_waves_images_and_ids(corpus: Path) -> None:
    samples = Samples(pairs(corpus), PIXELS, None, seed=1)
    batch = collate([samples[place, 0] for place in (0, 1, 4)])

    assert batch is not None
    assert batch.lengths.tolist() == [4_800, 5_120, 6_080]
    assert batch.waves.shape == (3, 6_080)
    assert not batch.waves[0, 4_800:].any()
    assert batch.images.shape == (3, 3, 16, 16)
    assert batch.ids.tolist() == [0, 0, 2]
    assert batch.places.tolist() == [0, 1, 4]
    assert batch.unusable == []


def test_long_utterances_are_cut_at_a_place_that_seed_and_epoch_decide(corpus: Path) -> None:
    samples, whole = Samples(pairs(corpus), PIXELS, 2_000, seed=1), Samples(pairs(corpus), PIXELS, None, seed=1)
    cuts = [samples[3, epoch].wave for epoch in (0, 0, 1)]
    uncut = whole[3, 0].wave

    assert uncut is not None
    assert all(cut is not None and len(cut) == 2_000 for cut in cuts)
    first, again, later = (np.asarray(cut) for cut in cuts)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, later)
    windows = np.lib.stride_tricks.sliding_window_view(uncut, 2_000)
    assert (windows == first).all(axis=1).any()


def test_the_next_takes_the_place_of_what_cannot_be_used_in_training_alone(corpus: Path) -> None:
    (corpus / "train-12.wav").write_bytes(b"no audio")
    found = pairs(corpus)
    (corpus / "train-0.wav").unlink()
    trained = Samples(found, PIXELS, 102_400, seed=1)[12, 0]
    validated = Samples(found, PIXELS, None, seed=1)[12, 0]

    assert (trained.place, validated.place, validated.wave) == (1, 12, None)
    assert [name.partition(" ")[0] for name in trained.unusable] == ["train-12.wav", "train-0.wav"]
    assert len(validated.unusable) == 1


def test_a_broken_image_counts_as_well(corpus: Path) -> None:
    found = pairs(corpus)
    (corpus / "train-1.png").write_bytes(b"no image")

    assert Samples(found, PIXELS, 102_400, seed=1)[2, 0].place == 4


def test_a_corpus_of_which_nothing_can_be_used_ends_the_training(corpus: Path) -> None:
    found = pairs(corpus)
    for pair in found:
        (corpus / pair.audio.name).unlink()
    with pytest.raises(TrainingError, match="13 pairs in a row cannot be used"):
        Samples(found, PIXELS, 102_400, seed=1)[5, 0]


def test_what_cannot_be_used_is_left_out_of_a_validation(corpus: Path) -> None:
    found = pairs(corpus)
    (corpus / "train-1.wav").unlink()
    samples = Samples(found, PIXELS, None, seed=1)
    batch = collate([samples[place, 0] for place in (0, 1, 2)])

    assert batch is not None
    assert batch.places.tolist() == [0, 2]
    assert torch.equal(batch.ids, torch.tensor([0, 1]))
    assert len(batch.unusable) == 1
    assert collate([samples[1, 0]]) is None
