"""How someone names the things of a scene in one caption."""

from __future__ import annotations

import random

from training.scenes.nouns import NUMBERS, with_article
from training.scenes.phrases import SIZES
from training.scenes.scene import Group, Scene

OTHER_NAME = 0.3
SAYS_SIZE, SAYS_PAINT, SAYS_COLOUR, SAYS_ASLEEP = 0.5, 0.85, 0.3, 0.75
BARE_PLURAL, COUPLE, A_MOON, NO_NUMBER = 0.06, 0.1, 0.2, 0.5


class Speaker:
    """terse: someone who leaves articles out, as in a search box."""

    def __init__(self, scene: Scene, rng: random.Random, terse: bool = False) -> None:
        self._scene, self._rng, self._terse = scene, rng, terse

    def a(self, group: Group) -> str:
        """`a red apple`, `two sleeping cats`, `the moon`."""
        phrase = self._described(group)
        if group.count > 1:
            return f"{self._number(group)}{phrase}"
        if self._terse:
            return phrase
        if group.thing.unique and not self._happens(A_MOON):
            return f"the {phrase}"
        return with_article(phrase)

    def the(self, group: Group) -> str:
        """`the red apple`, `the two sleeping cats`."""
        number = f"{NUMBERS[group.count]} " if group.count > 1 and not self._happens(NO_NUMBER) else ""
        return f"the {number}{self._described(group)}"

    def _number(self, group: Group) -> str:
        if not self._terse and self._happens(BARE_PLURAL):
            return ""
        couple = group.count == 2 and " of " not in group.thing.name and self._happens(COUPLE)
        return "a couple of " if couple and not self._terse else f"{NUMBERS[group.count]} "

    def _described(self, group: Group) -> str:
        first, *others = group.thing.names
        noun = self._rng.choice(others) if others and self._happens(OTHER_NAME) else first
        return " ".join([*self._adjectives(group), noun.plural if group.count > 1 else noun.singular])

    def _adjectives(self, group: Group) -> list[str]:
        said = []
        if (size := self._scene.size(group)) and self._happens(SAYS_SIZE):
            said.append(self._rng.choice(SIZES[size]))
        if group.colour and self._happens(SAYS_PAINT if group.paint else SAYS_COLOUR):
            said.append(group.colour)
        if group.asleep and self._happens(SAYS_ASLEEP):
            said.append("sleeping")
        return said

    def _happens(self, share: float) -> bool:
        return self._rng.random() < share


def be(group: Group) -> str:
    return "are" if group.count > 1 else "is"
