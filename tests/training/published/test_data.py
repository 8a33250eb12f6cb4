"""The pairs of a training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.published.tiny_training import recipe, write_corpus
from training.datasets import open_dataset
from training.errors import DatasetError
from training.published.data import Splits, joined


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("here") / "corpus")


def test_several_splits_are_one_in_which_their_images_stay_apart(corpus: Path) -> None:
    parts = [open_dataset("manifest", corpus, split) for split in ("train", "val")]
    whole = joined(parts)

    assert [pair.audio for pair in whole.pairs] == [pair.audio for part in parts for pair in part.pairs]
    assert whole.split == "train and val"
    assert [pair.image_id for pair in whole.pairs[:5]] == [0, 0, 1, 1, 2]
    ids = [pair.image_id for pair in whole.pairs]
    assert set(ids[:13]) == set(range(7))
    assert set(ids[13:]) == set(range(7, 10))
    assert joined(parts[:1]) is parts[0]


def test_they_are_named_in_the_recipe(corpus: Path) -> None:
    splits = Splits.open("manifest", corpus, recipe("start", data__train_split=["train", "val"]))

    assert (len(splits.training.pairs), len(splits.validation.pairs)) == (18, 5)


def test_each_of_them_has_to_be_there(corpus: Path) -> None:
    with pytest.raises(DatasetError, match="no split"):
        Splits.open("manifest", corpus, recipe("start", data__train_split=["train", "names"]))
