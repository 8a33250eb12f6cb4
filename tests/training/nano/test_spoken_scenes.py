"""Spoken captions of scenes, from a corpus as `speechclip data scenes` writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.clip import Tokenizer, build_clip
from tests.training.tiny_recipe import tiny_recipe
from tests.training.tiny_scenes import write_scenes
from training.errors import DatasetError
from training.nano.batches import SpokenCorpus
from training.nano.corpora import SCENES_SHARE, with_scenes
from training.nano.speech import Utterance
from training.nano.spoken_scenes import SpokenScenes, spoken_scenes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_scenes(tmp_path)


@pytest.fixture
def scenes(folder: Path) -> SpokenScenes:
    return spoken_scenes(folder)


def test_captions_for_training_go_with_their_pictures(scenes: SpokenScenes) -> None:
    samples, rows = scenes.source

    assert [row.phrase for row in rows] == ["train a dog", "train two cats", "train a dog"]
    assert [row.length for row in rows] == [8_000, 6_400, 4_800]
    assert [row.start for row in rows] == [0, 8_000, 14_400]
    assert len(samples) == 19_200
    assert np.abs(samples).max() > 1_000
    assert scenes.members == {"train a dog": [0, 1], "train two cats": [0]}
    assert scenes.pixels.shape == (2, 64, 64, 3)
    assert scenes.pixels[:, 32, 32].argmax(1).tolist() == [0, 2]


def test_a_folder_without_scenes_for_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no tar files"):
        spoken_scenes(tmp_path)


def test_three_of_ten_utterances_drawn_are_captions(scenes: SpokenScenes) -> None:
    corpus, weights = with_scenes(_names(), scenes.source)
    drawn = weights / weights.sum()

    assert corpus.phrases == ["dog", "train a dog", "train two cats"]
    assert drawn[:2].sum() == pytest.approx(1 - SCENES_SHARE)
    assert drawn[2:].sum() == pytest.approx(SCENES_SHARE)
    assert drawn[0] == pytest.approx(3 * drawn[1])
    assert corpus.wave(0).max() == pytest.approx(100 / 32_768)
    assert len(corpus.wave(4)) == 4_800
    assert corpus.engines.tolist() == ["hum", "hum", "train", "train", "train"]


def _names() -> tuple[SpokenCorpus, NDArray[np.float64]]:
    rows = [Utterance("dog", "hum/plain", 0, 50), Utterance("dog", "hum/plain", 50, 50)]
    return SpokenCorpus([(np.full(100, 100, np.int16), rows)]), np.array([3.0, 1.0])


def test_a_caption_belongs_to_its_pictures_and_to_itself_as_it_is_read(scenes: SpokenScenes) -> None:
    config = tiny_recipe().model
    torch.manual_seed(0)
    clip = build_clip(config.clip, config.embedding_size).eval().requires_grad_(False)
    tokens = Tokenizer.of(config.clip.text)
    pictures, texts = scenes.pairs(clip, tokens, ["dog", "train a dog", "train two cats"])
    assert (pictures.vectors.shape, texts.vectors.shape) == ((2, 8), (2, 8))

    spoken = texts.vectors[:1].repeat(2, 1)
    rng, scale = np.random.default_rng(0), torch.tensor(30.0)
    right = texts(spoken[:1], scale, torch.tensor([1]), rng)
    wrong = texts(spoken[:1], scale, torch.tensor([2]), rng)
    assert wrong > right
    # "dog" is no caption: half the batch counts half.
    assert texts(spoken, scale, torch.tensor([1, 0]), rng) == pytest.approx(right.item() / 2)
    assert pictures(spoken, scale, torch.tensor([0, 0]), rng) == 0
