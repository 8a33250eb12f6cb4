"""Descriptions of a scene that are true of its picture: phrases without a verb, and whole clauses."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from training.scenes.geometry import between, hull, next_to, place, relation
from training.scenes.nouns import listed
from training.scenes.phrases import NEXT_TO, PLACES, RELATIONS, SIDES, behind, standing
from training.scenes.scene import Group, Scene
from training.scenes.speaker import Speaker, be

PARTIAL = 0.15  # of the captions of three or four things leave some out


@dataclass(frozen=True, slots=True)
class Description:
    """be: the verb that it takes, `is` or `are`."""

    text: str
    be: str


Option = tuple[float, Callable[[], str]]


class Describer:
    """Finds words for a scene; which ones is left to chance."""

    def __init__(self, scene: Scene, speaker: Speaker, rng: random.Random) -> None:
        self._scene, self._speaker, self._rng = scene, speaker, rng

    def phrase(self) -> Description:
        """Such as `a red apple next to two cats`."""
        groups = self._mentioned()
        return Description(self._any(self._phrases(groups)), be(groups[0]))

    def clause(self) -> str:
        """A whole sentence, such as `the apple is next to the cats`."""
        return self._any(self._clauses(self._mentioned(most=2)))

    def behind(self) -> str:
        return self._rng.choice(behind(self._scene.backdrop))

    def _mentioned(self, most: int = 4) -> Sequence[Group]:
        """In any order, and not always all of them."""
        groups = self._scene.groups
        count = 2 if len(groups) > 2 and self._rng.random() < PARTIAL else len(groups)
        return self._rng.sample(groups, min(count, most))

    def _any(self, options: Iterator[Option]) -> str:
        weights, makers = zip(*options, strict=True)
        (chosen,) = self._rng.choices(makers, weights)
        return str(chosen())

    def _phrases(self, groups: Sequence[Group]) -> Iterator[Option]:
        a = self._speaker.a
        yield 1.0, lambda: listed([a(group) for group in groups])
        match groups:
            case [one]:
                if where := self._place(one):
                    yield 0.6, lambda: f"{a(one)} {self._rng.choice(where)}"
            case [one, other]:
                yield from self._pairs(one, other)
            case [one, other, third]:
                yield from self._triples(one, other, third)
            case [one, other, third, fourth] if self._between(one, other) and self._between(third, fourth):
                yield 1.5, lambda: f"{self._related(one, other)} and {self._related(third, fourth)}"

    def _pairs(self, one: Group, other: Group) -> Iterator[Option]:
        a, them = self._speaker.a, "them" if one.count > 1 else "it"
        yield 0.3, lambda: f"{a(one)} {self._rng.choice(('with', 'together with', 'as well as'))} {a(other)}"
        if self._between(one, other):
            yield 4.5, lambda: self._related(one, other)
            yield 0.6, lambda: f"{a(one)} with {a(other)} {self._preposition(other, one)} {them}"
        if side := relation(one.rect, other.rect):
            yield 0.6, lambda: f"{a(one)} {SIDES[side][0]} and {a(other)} {SIDES[side][1]}"

    def _triples(self, one: Group, other: Group, third: Group) -> Iterator[Option]:
        a, both = self._speaker.a, hull([other.rect, third.rect])
        sides = {relation(one.rect, rect) for rect in (other.rect, third.rect, both)}
        if len(sides) == 1 and (side := sides.pop()):
            yield 2.0, lambda: f"{a(one)} {self._rng.choice(RELATIONS[side])} {a(other)} and {a(third)}"
        if between(one.rect, (other.rect, third.rect)):
            yield 4.0, lambda: f"{a(one)} between {a(other)} and {a(third)}"
        if self._between(other, third):
            yield 0.7, lambda: f"{a(one)} and {self._related(other, third)}"

    def _clauses(self, groups: Sequence[Group]) -> Iterator[Option]:
        a, the, first = self._speaker.a, self._speaker.the, groups[0]
        yield 1.0, lambda: f"{the(first)} {be(first)} {self._rng.choice(standing(self._scene.backdrop))}"
        yield 1.0, lambda: f"{self.behind()} there {be(first)} {listed([a(group) for group in groups])}"
        match groups:
            case [one]:
                if where := self._place(one):
                    yield 2.0, lambda: f"{the(one)} {be(one)} {self._rng.choice(where)}"
                    yield 1.0, lambda: f"{self._rng.choice(where)} there {be(one)} {a(one)}"
            case [one, other] if self._between(one, other):
                yield from self._related_clauses(one, other)

    def _related_clauses(self, one: Group, other: Group) -> Iterator[Option]:
        a, the, where = self._speaker.a, self._speaker.the, self._preposition(one, other)
        yield 4.0, lambda: f"{the(one)} {be(one)} {where} {the(other)}"
        yield 2.0, lambda: f"{a(one)} {be(one)} {where} {a(other)}"
        yield 2.0, lambda: f"{where} {the(other)} there {be(one)} {a(one)}"
        yield 1.0, lambda: f"{where} {the(other)} {be(one)} {a(one)}"
        yield 3.0, lambda: f"where {be(one)} {the(one)} {where} {the(other)}?"
        if side := relation(one.rect, other.rect):
            here, there = SIDES[side]
            yield 2.0, lambda: f"{here} there {be(one)} {a(one)} and {there} {a(other)}"
            yield 1.0, lambda: f"{the(one)} {be(one)} {here} and {the(other)} {be(other)} {there}"

    def _related(self, one: Group, other: Group) -> str:
        return f"{self._speaker.a(one)} {self._preposition(one, other)} {self._speaker.a(other)}"

    def _preposition(self, one: Group, other: Group) -> str:
        return self._rng.choice(RELATIONS[self._rng.choice(self._between(one, other))])

    def _between(self, one: Group, other: Group) -> Sequence[str]:
        """All relations of the one to the other."""
        side = relation(one.rect, other.rect)
        others = [group.rect for group in self._scene.groups if group is not one and group is not other]
        near = [NEXT_TO] if next_to(one.rect, other.rect, others) else []
        return [side, *near] if side else []

    def _place(self, group: Group) -> Sequence[str]:
        where = place(group.rect) if group.count == 1 else None
        return PLACES[where] if where else ()
