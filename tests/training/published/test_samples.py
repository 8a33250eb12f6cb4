"""Pairs become batches."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image

from models.clip import ImagePreprocessor
from models.config import VisionConfig
from models.errors import UndecodableImage
from tests.training.published.tiny_training import write_corpus
from training.datasets import Pair, open_dataset
from training.published.errors import TrainingError
from training.published.samples import FromFiles, Raw, Samples, collate, read_pixels

PIXELS = ImagePreprocessor(VisionConfig(image_size=16, patch_size=8, width=16, layers=1, head_width=8))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus")


def pairs(corpus: Path) -> list[Pair]:
    return list(open_dataset("manifest", corpus, "train").pairs)


def samples_of(found: list[Pair], most: int | None) -> Samples[Raw]:
    """most: as in training; None: as in validation."""
    ids = [pair.image_id for pair in found]
    return Samples(FromFiles(found, PIXELS, most, seed=1), ids, replaced=most is not None)


def wave_of(samples: Samples[Raw], epoch: int) -> NDArray[np.float32]:
    content = samples[3, epoch].content
    assert content is not None
    return content[0]


def test_a_batch_has_waves_images_and_ids(corpus: Path) -> None:
    samples = samples_of(pairs(corpus), None)
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
    samples, whole = samples_of(pairs(corpus), 2_000), samples_of(pairs(corpus), None)
    cuts = [wave_of(samples, epoch) for epoch in (0, 0, 1)]
    uncut = wave_of(whole, 0)

    assert [len(cut) for cut in cuts] == [2_000] * 3
    first, again, later = cuts
    assert np.array_equal(first, again)
    assert not np.array_equal(first, later)
    windows = np.lib.stride_tricks.sliding_window_view(uncut, 2_000)
    assert (windows == first).all(axis=1).any()


def test_the_next_takes_the_place_of_what_cannot_be_used_in_training_alone(corpus: Path) -> None:
    (corpus / "train-12.wav").write_bytes(b"no audio")
    found = pairs(corpus)
    (corpus / "train-0.wav").unlink()
    trained = samples_of(found, 102_400)[12, 0]
    validated = samples_of(found, None)[12, 0]

    assert (trained.place, validated.place, validated.content) == (1, 12, None)
    assert [name.partition(" ")[0] for name in trained.unusable] == ["train-12.wav", "train-0.wav"]
    assert len(validated.unusable) == 1


def test_a_broken_image_counts_as_well(corpus: Path) -> None:
    found = pairs(corpus)
    (corpus / "train-1.png").write_bytes(b"no image")

    assert samples_of(found, 102_400)[2, 0].place == 4


def jpeg(size: tuple[int, int], orientation: int) -> bytes:
    """The left half red, the right half blue, as the bytes are; orientation 6: to be turned clockwise."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    exif, data = Image.Exif(), BytesIO()
    exif[ExifTags.Base.Orientation] = orientation
    image.save(data, "jpeg", exif=exif)
    return data.getvalue()


def test_images_are_upright() -> None:
    red, _, blue = read_pixels(jpeg((16, 16), 6), PIXELS)

    assert (red[:6] > blue[:6]).all()
    assert (red[10:] < blue[10:]).all()


def test_images_of_far_too_many_pixels_are_not_read() -> None:
    with pytest.raises(UndecodableImage, match="40,000,000 in all are the most"):
        read_pixels(jpeg((40_001, 1_000), 1), PIXELS)


def test_a_corpus_of_which_nothing_can_be_used_ends_the_training(corpus: Path) -> None:
    found = pairs(corpus)
    for pair in found:
        (corpus / pair.audio.name).unlink()
    with pytest.raises(TrainingError, match="13 pairs in a row cannot be used"):
        samples_of(found, 102_400)[5, 0]


def test_what_cannot_be_used_is_left_out_of_a_validation(corpus: Path) -> None:
    found = pairs(corpus)
    (corpus / "train-1.wav").unlink()
    samples = samples_of(found, None)
    batch = collate([samples[place, 0] for place in (0, 1, 2)])

    assert batch is not None
    assert batch.places.tolist() == [0, 2]
    assert torch.equal(batch.ids, torch.tensor([0, 1]))
    assert len(batch.unusable) == 1
    assert collate([samples[1, 0]]) is None
