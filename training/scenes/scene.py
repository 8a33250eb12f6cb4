"""A scene: what is in a picture, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from training.scenes.colours import RGB, Backdrop
from training.scenes.geometry import Rect, hull, size_word
from training.scenes.things import Thing


@dataclass(frozen=True, slots=True)
class Placed:
    """One drawing in the picture, within the square `where`. angle: degrees, counter-clockwise."""

    where: Rect
    flipped: bool
    angle: float


@dataclass(frozen=True, slots=True)
class Paint:
    name: str
    rgb: RGB


@dataclass(frozen=True, slots=True)
class Group:
    """Some things that are all alike. drawing: its id, of that vendor."""

    thing: Thing
    vendor: str
    drawing: str
    paint: Paint | None
    asleep: bool
    placed: tuple[Placed, ...]

    @property
    def count(self) -> int:
        return len(self.placed)

    @property
    def rect(self) -> Rect:
        """Around all of them."""
        return hull(one.where for one in self.placed)

    @property
    def side(self) -> float:
        """Of the largest of them."""
        return max(one.where.width for one in self.placed)

    @property
    def colour(self) -> str | None:
        """The colour that it may be said to have."""
        return self.paint.name if self.paint else self.thing.colour


@dataclass(frozen=True, slots=True)
class Scene:
    """The things in a picture: no two groups of them have the same name."""

    backdrop: Backdrop
    groups: tuple[Group, ...]

    def others(self, group: Group) -> Sequence[Group]:
        return [other for other in self.groups if other is not group]

    def size(self, group: Group) -> str | None:
        """`big`, `small` or None, as one sees it."""
        others = [other.side for other in self.others(group)]
        # Of several alike, with nothing beside them, who is to say.
        return size_word(group.side, others) if others or group.count == 1 else None

    def combinations(self) -> set[tuple[str, str]]:
        """What is seen together: two things in one picture, or a thing and the paint on it."""
        names = sorted(group.thing.name for group in self.groups)
        painted = {(group.paint.name, group.thing.name) for group in self.groups if group.paint}
        return {*combinations(names, 2)} | painted
