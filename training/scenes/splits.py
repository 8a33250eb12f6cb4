"""The parts of the corpus, and what each of them has that training has not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from training.nano.drawings import HELD_OUT, TRAINING
from training.scenes.scene import Scene

KEPT_BACK = 0.1
"""Share of all combinations of two things, or of a paint and a thing, that is never in one picture of training."""


@dataclass(frozen=True, slots=True)
class Split:
    """vendors: whose drawings. new_voices: none that training hears. new_combinations: one at least in each scene."""

    name: str
    vendors: tuple[str, ...] = TRAINING
    new_voices: bool = False
    new_combinations: bool = False

    def admits(self, scene: Scene) -> bool:
        return any(map(kept_back, scene.combinations())) == self.new_combinations


TRAIN = Split("train")
DEV = Split("dev")
TEST_VOICES = Split("test_voices", new_voices=True)
TEST_COMPOSITIONS = Split("test_compositions", new_combinations=True)
TEST_DRAWINGS = Split("test_drawings", vendors=(HELD_OUT,))

SPLITS: Mapping[str, Split] = {
    split.name: split for split in (TRAIN, DEV, TEST_VOICES, TEST_COMPOSITIONS, TEST_DRAWINGS)
}


def kept_back(combination: tuple[str, str]) -> bool:
    """The same in every corpus, whatever its seed, so that corpora can be joined."""
    digest = blake2b("|".join(combination).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") < KEPT_BACK * 2**32
