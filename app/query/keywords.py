"""From keyword slots to words: the texts of the vocabulary that parts of an utterance are nearest to, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from app.engine import Engine, Task
from app.pools import BoundedPool
from app.schemas import Slot, SlotSubword, SlotWord, SpokenKeywords, SpokenWord
from index.backend import Collection
from models.branches.keywords import KeywordSlot

Vectors = NDArray[np.float32]

MOST_TEXTS = 50_000
"""Of a vocabulary, in the order of their ids: about as many as CLIP has pieces of words."""
MOST_SLOTS = 75
MOST_WORDS_OF_A_SLOT = 10
LEAST_SHARE = 0.9
"""Of the score of a slot's nearest piece, that its nearest word has where what it heard is in the vocabulary."""
SCORE_DIGITS, SECOND_DIGITS = 6, 3
NO_WORDS = SpokenKeywords(words=[], slots=[])

_PAGE = 2000
_AT_ONCE = 1000  # texts that the encoder's thread takes at one time; queries come in between


@dataclass(frozen=True)
class Vocabulary:
    """N different texts, the (N, E) unit directions in which the model's table of sub-words has them, and the (N, E)
    unit vectors of the records that they are of.
    """

    texts: Sequence[str]
    directions: Vectors
    vectors: Vectors

    @classmethod
    def of(cls, texts: Sequence[str], directions: Vectors, vectors: Vectors) -> Self:
        """Without the texts that have no pieces, and so no direction."""
        has_pieces = np.linalg.norm(directions, axis=1) > 0
        left = [text for text, has in zip(texts, has_pieces, strict=True) if has]
        return cls(left, directions[has_pieces], vectors[has_pieces])

    def vector(self, text: str) -> Vectors | None:
        """(E,), of the text that is this one but for case."""
        row = self._rows.get(_key(text))
        return None if row is None else self.vectors[row]

    @cached_property
    def _rows(self) -> Mapping[str, int]:
        return {_key(text): row for row, text in enumerate(self.texts)}


class Vocabularies:
    """The vocabulary of the newest collection that was asked for, made once for each of its versions.

    For one event loop only. Who asks while it is made waits for it, and it goes on when they have left: however long
    it takes, somebody has it in the end. One is made at a time, and a text that was read for the one before is not read
    again: a collection may change as often as it likes, and who is refused half way goes on from there.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._collection: Collection | None = None
        self._version = 0
        self._making: asyncio.Task[Vocabulary] | None = None
        self._read: dict[str, Vectors] = {}

    async def of(self, collection: Collection, pool: BoundedPool) -> Vocabulary:
        """Of the version that there is now, or a later one.

        Raises `Overloaded`, and what reading the collection or the encoder raises; the next one tries again.
        """
        wanted = collection.version
        while (making := self._making) is None or not self._is_of(making, collection, wanted):
            if making is not None and not making.done():
                await asyncio.wait({making})
            else:
                self._collection, self._version = collection, collection.version
                self._making = asyncio.create_task(self._make(collection, pool))
        return await asyncio.shield(making)

    def _is_of(self, making: asyncio.Task[Vocabulary], collection: Collection, version: int) -> bool:
        # Not its name: a collection that was deleted can be followed by another of its name and version.
        current = version <= self._version <= collection.version  # it may be made anew under us, on a server
        return self._collection is collection and current and not _failed(making)

    async def spoken(
        self,
        slots: Sequence[KeywordSlot],
        collection: Collection,
        pool: BoundedPool,
        top_k: int,
        offset: int = 0,
        min_score: float | None = None,
    ) -> tuple[SpokenKeywords, Vocabulary | None]:
        """`spoken_keywords` with the vocabulary of a collection, which is not made where there are no slots."""
        if not slots:
            return NO_WORDS, None
        vocabulary = await self.of(collection, pool)
        return await pool.run(spoken_keywords, slots, vocabulary, top_k, offset, min_score), vocabulary

    async def _make(self, collection: Collection, pool: BoundedPool) -> Vocabulary:
        texts, vectors = await pool.run(texts_of, collection)
        new = [text for text in texts if text not in self._read]
        for start in range(0, len(new), _AT_ONCE):
            part = tuple(new[start : start + _AT_ONCE])
            self._read.update(zip(part, (await self._engine.encode(Task("words"), part)).vector, strict=True))
        made = await pool.run(_vocabulary, texts, self._read, vectors)
        self._read = dict(zip(made.texts, made.directions, strict=True))
        return made


def _vocabulary(texts: Sequence[str], read: Mapping[str, Vectors], vectors: Vectors) -> Vocabulary:
    directions = np.array([read[text] for text in texts], np.float32) if texts else vectors
    return Vocabulary.of(texts, directions, vectors)


def texts_of(collection: Collection) -> tuple[list[str], Vectors]:
    """The first `MOST_TEXTS` captions, or ids where there is none, and their records' vectors (N, E).

    Those that differ in case only are one.
    """
    found: dict[str, tuple[str, Vectors]] = {}
    after: str | None = None
    while len(found) < MOST_TEXTS and (page := collection.list(_PAGE, after)):
        kept = collection.fetch([record.id for record in page])
        for record in page:
            text = record.caption or record.id
            # One that is deleted meanwhile is no word.
            if (key := _key(text)) and record.id in kept:
                found.setdefault(key, (text, kept[record.id][1]))
        after = page[-1].id
    first = [*found.values()][:MOST_TEXTS]
    vectors = np.array([vector for _, vector in first], np.float32).reshape(len(first), collection.dim)
    return [text for text, _ in first], vectors


def spoken_keywords(
    slots: Sequence[KeywordSlot], vocabulary: Vocabulary, top_k: int, offset: int = 0, min_score: float | None = None
) -> SpokenKeywords:
    """Both views: words over all slots, and slots with their words.

    A word stands where the slot that it is nearest to was said. `offset` passes over words, not over those of a slot.
    """
    slots = slots[:MOST_SLOTS]
    if not slots or not vocabulary.texts:
        return SpokenKeywords(words=[], slots=[_slot(slot, [], -1.0) for slot in slots])
    scores = np.clip(np.stack([slot.vector for slot in slots]) @ vocabulary.directions.T, -1, 1)
    best = scores.argmax(axis=0)
    nearest = _nearest(scores.max(axis=0), offset + top_k, min_score)[offset:]
    words = [_spoken(vocabulary.texts[row], scores[best[row], row], slots[best[row]]) for row in nearest]
    few = min(top_k, MOST_WORDS_OF_A_SLOT)
    return SpokenKeywords(
        words=words,
        slots=[
            _slot(slot, [_word(vocabulary.texts[row], own[row]) for row in _nearest(own, few, min_score)], own.max())
            for slot, own in zip(slots, scores, strict=True)
        ],
    )


def _key(text: str) -> str:
    return " ".join(text.casefold().split())


def _nearest(scores: Vectors, most: int, min_score: float | None) -> list[int]:
    """The rows of the largest scores, largest first, equal ones in their order."""
    rows = np.arange(len(scores))
    if most < len(scores):
        rows = np.flatnonzero(scores >= np.partition(scores, -most)[-most])
    rows = rows[np.argsort(-scores[rows], kind="stable")][:most]
    return [int(row) for row in rows if min_score is None or scores[row] >= min_score]


def _spoken(text: str, score: np.float32, slot: KeywordSlot) -> SpokenWord:
    return SpokenWord(
        word=text, score=_rounded(score), slot=slot.slot, start=_seconds(slot.start), end=_seconds(slot.end)
    )


def _word(text: str, score: np.float32) -> SlotWord:
    return SlotWord(word=text, score=_rounded(score))


def _slot(slot: KeywordSlot, words: list[SlotWord], best: float) -> Slot:
    subwords = [SlotSubword(text=piece.text, score=_rounded(piece.score)) for piece in slot.subwords]
    known = bool(best >= LEAST_SHARE * max((piece.score for piece in slot.subwords), default=0.0))
    return Slot(
        slot=slot.slot, start=_seconds(slot.start), end=_seconds(slot.end), known=known, subwords=subwords, words=words
    )


def _rounded(score: float | np.float32) -> float:
    return round(float(score), SCORE_DIGITS)


def _seconds(value: float) -> float:
    return round(float(value), SECOND_DIGITS)


def _failed(task: asyncio.Task[Vocabulary]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
