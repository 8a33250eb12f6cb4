"""What scenes are made of: things, what they are called, and the drawings that show them.

`things.tsv` has a row for each: its names (with a plural where that is irregular), the emoji whose drawings show it,
and its look, words that say

    a colour    the drawings have it, all of them: it may be said
    any         it can be painted in any colour and still be recognised
    sleeps      it can be seen asleep
    the         there is one of it only, like the moon
    -VENDOR     the drawing of this vendor shows something else
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

from training.errors import NotReady
from training.nano.drawings import Render
from training.nano.lexicon import Lexicon
from training.scenes.nouns import Noun, noun

TABLE = "things.tsv"
ASLEEP = "zzz"
"""The emoji that is drawn over what sleeps."""

MOST_THINGS = 4
"""In one scene."""

_FLAGS = ("any", "sleeps", "the")


@dataclass(frozen=True, slots=True)
class Thing:
    """names: the first is the usual one. drawings: names of emoji. colour: of its drawings, if they have one."""

    names: tuple[Noun, ...]
    drawings: tuple[str, ...]
    colour: str | None
    paintable: bool
    sleeps: bool
    unique: bool
    not_by: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.names[0].singular


@dataclass(frozen=True, eq=False)
class Catalogue:
    """drawings: vendor -> drawing id -> what renders it; shown: vendor -> thing -> its drawings by that vendor."""

    things: Sequence[Thing]
    drawings: Mapping[str, Mapping[str, Render]]
    shown: Mapping[str, Mapping[Thing, Sequence[str]]]
    asleep: str | None

    @cached_property
    def named(self) -> Mapping[str, Sequence[Thing]]:
        """All that have that name: there are red books, and green ones."""
        named = defaultdict[str, list[Thing]](list)
        for thing in self.things:
            named[thing.name].append(thing)
        return named

    @cached_property
    def names(self) -> Sequence[str]:
        return [*self.named]

    @cached_property
    def vendors(self) -> Mapping[Thing, Sequence[str]]:
        """Who has drawn it."""
        return {thing: [v for v, shown in self.shown.items() if thing in shown] for thing in self.things}


def read_things() -> tuple[Thing, ...]:
    lines = (resources.files("training.scenes") / TABLE).read_text(encoding="utf-8").splitlines()
    return tuple(map(_thing, csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)))


def catalogue(lexicon: Lexicon, drawings: Mapping[str, Mapping[str, Render]]) -> Catalogue:
    """The things that one of the vendors has drawn. Raises `NotReady` where there are too few for a scene."""
    ids = {emoji.name: emoji.id for emoji in lexicon.emoji}
    table = read_things()
    shown = {vendor: dict(_shown(table, vendor, ids, by_id)) for vendor, by_id in drawings.items()}
    things = [thing for thing in table if any(thing in own for own in shown.values())]
    found = Catalogue(things, drawings, shown, ids.get(ASLEEP))
    if len(found.names) < MOST_THINGS:
        raise NotReady(f"there are drawings of {len(found.names)} things, and a scene can have {MOST_THINGS}")
    return found


def _shown(
    things: Sequence[Thing], vendor: str, ids: Mapping[str, str], by_id: Mapping[str, Render]
) -> Iterator[tuple[Thing, Sequence[str]]]:
    for thing in things:
        own = [ids[name] for name in thing.drawings if ids.get(name) in by_id]
        if own and vendor not in thing.not_by:
            yield thing, own


def _thing(row: Mapping[str, str]) -> Thing:
    look = row["look"].split()
    colours = [word for word in look if word not in _FLAGS and not word.startswith("-")]
    return Thing(
        names=tuple(map(noun, row["names"].split(","))),
        drawings=tuple(name.strip() for name in row["drawings"].split(";")),
        colour=colours[0] if colours else None,
        paintable="any" in look,
        sleeps="sleeps" in look,
        unique="the" in look,
        not_by=tuple(word[1:] for word in look if word.startswith("-")),
    )
