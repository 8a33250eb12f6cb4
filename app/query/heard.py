"""Words that were heard bring forward the records that have them: late interaction of keyword slots and records' texts.

A vector has one direction for a whole utterance, and what is near it may have another name. Slots are sharper about
words, but know of texts only: together they find more than each alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from app.schemas import Slot
from index.ranking import Hit
from index.records import Record

MOST_RANKED = 400
"""Nearest results among which those that have the words come first. Those after them come as they are near."""
TAGS = "keywords"
"""The key of metadata whose texts are a record's own, beside its caption."""

MOST_CHARACTERS = 4_000
"""Of a record's texts, that words are looked for in: metadata has room for books."""

_BETWEEN_WORDS = re.compile(r"\W+")


@dataclass(frozen=True)
class Heard:
    """weight: how much they count; slots: for each slot of an utterance, the words that it may be, and how near."""

    weight: float
    slots: Sequence[Mapping[str, float]]

    def __bool__(self) -> bool:
        return bool(self.weight and self.slots)

    def ranked(self, hits: Sequence[Hit]) -> list[Hit]:
        """Scores are raised by `weight` times the mean over the slots of the best cosine of a word that a record has.

        Ties go to the lower id, as everywhere.
        """
        if not self:
            return list(hits)
        words = set[str]().union(*self.slots)
        raised = [Hit(hit.record, hit.score + self._bonus(hit.record, words)) for hit in hits[:MOST_RANKED]]
        return [*sorted(raised, key=lambda hit: (-hit.score, hit.record.id)), *hits[MOST_RANKED:]]

    def _bonus(self, record: Record, words: AbstractSet[str]) -> float:
        own = text_of(record)
        met = [word for word in words if word in own]
        nearest = (max((slot[word] for word in met if word in slot), default=0.0) for slot in self.slots if met)
        return self.weight * sum(nearest) / len(self.slots)


NOTHING = Heard(0.0, ())


def heard(weight: float, words: Iterable[tuple[int, str, float]]) -> Heard:
    """words: (slot, word, cosine). Words at more than a right angle are none."""
    slots: dict[int, dict[str, float]] = {}
    for slot, word, score in words:
        if (key := _folded(word)).isspace():
            continue
        own = slots.setdefault(slot, {})
        own[key] = max(score, own.get(key, 0.0))
    return Heard(weight, list(slots.values()))


def heard_in(weight: float, slots: Sequence[Slot]) -> Heard:
    """The words of slots whose vocabulary has what they heard: "the" is no alpaca."""
    return heard(weight, ((slot.slot, word.word, word.score) for slot in slots if slot.known for word in slot.words))


def text_of(record: Record) -> str:
    """Its caption and its tags, the first `MOST_CHARACTERS` of them; words are looked for that are folded likewise."""
    tags, room, found = record.metadata.get(TAGS), MOST_CHARACTERS, list[str]()
    for text in (record.caption, *(tags if isinstance(tags, list) else [tags])):
        if isinstance(text, str) and room > 0:
            found.append(_folded(text[:room]))
            room -= len(text)
    return "|".join(found)


def _folded(text: str) -> str:
    """With one space before, between and after words, whatever the case and the marks."""
    return f" {_BETWEEN_WORDS.sub(' ', unicodedata.normalize('NFKC', text).casefold()).strip()} "
