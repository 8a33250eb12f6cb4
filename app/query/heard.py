"""Words that were heard bring forward the records that have them: late interaction of keyword slots and records' texts.

A vector has one direction for a whole utterance, and what is near it may have another name. Slots are sharper about
words, but know of texts only: together they find more than each alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from app.schemas import Slot
from index.ranking import Hit
from index.records import Record

MOST_RANKED = 400
"""Nearest results among which those that have the words come first. Those after them come as they are near."""
TAGS = "keywords"
"""The key of metadata whose texts are a record's own, beside its caption."""

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


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
        raised = [replace(hit, score=hit.score + self.weight * self._share(hit.record)) for hit in hits[:MOST_RANKED]]
        return [*sorted(raised, key=lambda hit: (-hit.score, hit.record.id)), *hits[MOST_RANKED:]]

    def _share(self, record: Record) -> float:
        own = set(texts_of(record))
        return sum(max((slot[text] for text in own & slot.keys()), default=0.0) for slot in self.slots) / len(
            self.slots
        )


NOTHING = Heard(0.0, ())


def heard(weight: float, words: Iterable[tuple[int, str, float]]) -> Heard:
    """words: (slot, word, cosine). Words at more than a right angle are none."""
    slots: dict[int, dict[str, float]] = {}
    for slot, word, score in words:
        own, key = slots.setdefault(slot, {}), _folded(word)
        own[key] = max(score, own.get(key, 0.0))
    return Heard(weight, list(slots.values()))


def heard_in(weight: float, slots: Sequence[Slot]) -> Heard:
    return heard(weight, ((slot.slot, word.word, word.score) for slot in slots for word in slot.words))


def texts_of(record: Record) -> Iterator[str]:
    """Its caption and its tags, whole and word by word."""
    tags = record.metadata.get(TAGS)
    for text in (record.caption, *(tags if isinstance(tags, list) else [tags])):
        if isinstance(text, str):
            folded = _folded(text)
            yield folded
            yield from _WORD.findall(folded)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
