"""Words that were heard bring forward the records that have them: late interaction of keyword slots and records.

A vector has one direction for a whole utterance, and what is near it may be something else that sounds alike. Slots are
sharper about words, and may be any of several: each of these is looked for in the texts of a record, and beside its
picture.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest

import numpy as np

from app.query.keywords import Vocabulary
from app.schemas import Slot
from index.ranking import Hit
from index.records import Record, Vectors

MOST_RANKED = 200
"""Nearest results that are looked at for the words. Those after them come as they are near."""
MOST_LOOKED_FOR, NEAR_A_WORD = 8, 20
"""Words whose nearest records are looked at as well, and how many of each."""
TAGS = "keywords"
"""The key of metadata whose texts are a record's own, beside its caption."""

MOST_CHARACTERS = 4_000
"""Of a record's texts, that words are looked for in: metadata has room for books."""

_BETWEEN_WORDS = re.compile(r"\W+")


@dataclass(frozen=True)
class Heard:
    """weight: how much they count; slots: for each slot of an utterance, the words that it may be, and how near.

    vectors: (E,) of the records of these words, those that the vocabulary has.
    """

    weight: float
    slots: Sequence[Mapping[str, float]]
    vectors: Mapping[str, Vectors]

    def __bool__(self) -> bool:
        return bool(self.weight and self.slots)

    @property
    def looked_for(self) -> Vectors:
        """(N, E): of each slot its surest word, then of each the second, and so on."""
        ways = [sorted(slot, key=lambda word: -slot[word]) for slot in self.slots]
        words = dict.fromkeys(word for rank in zip_longest(*ways) for word in rank if word in self.vectors)
        return np.array([self.vectors[word] for word in islice(words, MOST_LOOKED_FOR)], np.float32)

    def raised(self, hits: Sequence[Hit]) -> list[Hit]:
        """Scores are raised by `weight` times the mean over the slots of the most that a record has of a word: its
        cosine, if it is in the texts of the record, or else times the cosine of the word and the record, over the
        number of slots. A hit without a vector is compared by its texts alone.
        """
        if not self or not hits:
            return list(hits)
        words = {word: column for column, word in enumerate(sorted(set[str]().union(*self.slots)))}
        near = self._seen([*words], hits) / len(self.slots)
        for row, hit in enumerate(hits):
            own = text_of(hit.record)
            near[row, [word in own for word in words]] = 1.0
        best = np.zeros(len(hits))
        for slot in self.slots:
            sure = np.maximum([*slot.values()], 0.0)
            best += (near[:, [words[word] for word in slot]] * sure).max(axis=1, initial=0.0)
        bonuses = self.weight * best / len(self.slots)
        return [replace(hit, score=hit.score + float(bonus)) for hit, bonus in zip(hits, bonuses, strict=True)]

    def _seen(self, words: Sequence[str], hits: Sequence[Hit]) -> Vectors:
        """(hits, words): their cosines, none below zero, and none where one of both has no vector."""
        seen = np.zeros((len(hits), len(words)), np.float32)
        records = {row: hit.vector for row, hit in enumerate(hits) if hit.vector is not None}
        read = {column: self.vectors[word] for column, word in enumerate(words) if word in self.vectors}
        if records and read:
            cosines = np.stack([*records.values()]) @ np.stack([*read.values()]).T
            seen[np.ix_([*records], [*read])] = np.clip(cosines, 0.0, 1.0)
        return seen


NOTHING = Heard(0.0, (), {})


def heard(weight: float, words: Iterable[tuple[int, str, float]], vocabulary: Vocabulary | None = None) -> Heard:
    """words: (slot, word, cosine). Words at more than a right angle are none.

    vocabulary: where they are from; without it, they are looked for in texts alone.
    """
    slots: dict[int, dict[str, float]] = {}
    vectors: dict[str, Vectors] = {}
    for slot, word, score in words:
        if (key := _folded(word)).isspace():
            continue
        own = slots.setdefault(slot, {})
        own[key] = max(score, own.get(key, 0.0))
        if vocabulary is not None and (vector := vocabulary.vector(word)) is not None:
            vectors.setdefault(key, vector)
    return Heard(weight, list(slots.values()), vectors)


def heard_in(weight: float, slots: Sequence[Slot], vocabulary: Vocabulary | None = None) -> Heard:
    """The words of slots whose vocabulary has what they heard: "the" is no alpaca."""
    known = ((slot.slot, word.word, word.score) for slot in slots if slot.known for word in slot.words)
    return heard(weight, known, vocabulary)


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
