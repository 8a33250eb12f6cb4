"""What is kept back from training."""

from __future__ import annotations

import random

from training.nano.drawings import HELD_OUT, TRAINING
from training.scenes.compose import compose
from training.scenes.splits import SPLITS, TEST_COMPOSITIONS, TEST_DRAWINGS, TEST_VOICES, TRAIN, kept_back
from training.scenes.things import Catalogue, read_things


def test_a_tenth_of_all_combinations_is_kept_back() -> None:
    names = sorted({thing.name for thing in read_things()})
    pairs = [(one, other) for one in names for other in names if one < other]

    assert 0.095 < sum(map(kept_back, pairs)) / len(pairs) < 0.105
    assert kept_back(("cat", "house")) == kept_back(("cat", "house"))


def test_training_sees_none_of_them_and_the_test_of_compositions_one_each(drawn: Catalogue) -> None:
    scenes = [compose(drawn, random.Random(seed)) for seed in range(500)]
    seen = {pair for scene in scenes if TRAIN.admits(scene) for pair in scene.combinations()}

    assert seen
    assert not any(map(kept_back, seen))
    for split in SPLITS.values():
        admitted = [scene for scene in scenes if split.admits(scene)]
        assert admitted
        new = [any(map(kept_back, scene.combinations())) for scene in admitted]
        assert all(new) if split is TEST_COMPOSITIONS else not any(new)


def test_drawings_and_voices_are_new_in_one_split_each() -> None:
    assert TEST_DRAWINGS.vendors == (HELD_OUT,)
    assert all(split.vendors == TRAINING for split in SPLITS.values() if split is not TEST_DRAWINGS)
    assert [split for split in SPLITS.values() if split.new_voices] == [TEST_VOICES]
