"""What a piece of speech finds: one embedding, several collections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.engine import Encoded, Task
from app.query.embedding import Vector, require_branch
from app.query.heard import NOTHING, Heard, heard_in
from app.query.keywords import MOST_WORDS_OF_A_SLOT, NO_WORDS
from app.query.nearest import keyword_of, page_of, result_of
from app.query.requests import DEFAULT_INCLUDE, KEYWORDS, SearchQuery
from app.schemas import Keyword, Result, SpokenKeywords
from app.state import Loaded, State
from app.stopwatch import Stopwatch
from app.stream.messages import LiveKeywords, Start
from index.backend import Collection
from index.filters import Filter
from models.audio import SAMPLE_RATE

SECOND_DIGITS = 3


@dataclass(frozen=True)
class Found:
    """Results by collection, and the keywords and the vector where they were asked for."""

    searches: Mapping[str, list[Result]]
    keywords: LiveKeywords | None
    vector: list[float] | None

    @property
    def first(self) -> list[str | None]:
        """The best of each search."""
        firsts = [next((result.id for result in results), None) for results in self.searches.values()]
        words = None if self.keywords is None else self.keywords.keywords
        return [*firsts, words[0].keyword if words else None]


class Finder:
    """Answers one stream's questions, whatever has been said."""

    def __init__(self, state: State, loaded: Loaded, wanted: Start) -> None:
        self._state, self._loaded, self._wanted = state, loaded, wanted
        self._task = Task("speech", wanted.branch, keywords=wanted.keywords > 0 or wanted.words > 0)

    async def check(self) -> None:
        """Raise what would be wrong with every answer: a branch or a collection that is not there."""
        require_branch(self._loaded.engine.encoder, self._wanted.branch)
        hears = self._wanted.words and "cascaded" in self._loaded.engine.encoder.branches
        names = [*self._wanted.searches, *([KEYWORDS] if self._wanted.keywords or hears else [])]
        for name in names:
            await self._state.searching.run(self._collection, name)

    async def find(self, samples: NDArray[np.float32], offset_s: float, watch: Stopwatch) -> Found:
        """What (time,) samples of 16 kHz find, which begin `offset_s` after the start of the stream."""
        encoded = await self._loaded.engine.encode(self._task, samples)
        watch.encoded(self._task.kind, encoded, len(samples) / SAMPLE_RATE)
        spoken, heard = await self._spoken(encoded)
        look = partial(self._search, encoded.vector, heard)
        searches = {
            name: await watch.run("search", self._state.searching, partial(look, name, top_k))
            for name, top_k in self._wanted.searches.items()
        }
        keywords = await self._keywords(encoded.vector, spoken, offset_s, watch) if self._wanted.keywords else None
        return Found(searches, keywords, encoded.vector.tolist() if "vector" in self._wanted.include else None)

    def _collection(self, name: str) -> Collection:
        collection = self._loaded.catalogue.get(name)
        collection.require(self._loaded.engine.encoder.fingerprint)
        return collection

    def _search(self, vector: Vector, heard: Heard, name: str, top_k: int) -> list[Result]:
        page = page_of(self._collection(name), vector, _query(top_k, self._wanted.filter), heard)
        return [result_of(hit, rank, DEFAULT_INCLUDE) for rank, hit in enumerate(page.hits, start=1)]

    def _near_keywords(self, vector: Vector) -> list[Keyword]:
        page = page_of(self._collection(KEYWORDS), vector, _query(self._wanted.keywords))
        return [keyword_of(hit, rank) for rank, hit in enumerate(page.hits, start=1)]

    async def _spoken(self, encoded: Encoded) -> tuple[SpokenKeywords, Heard]:
        if not encoded.slots:
            return NO_WORDS, NOTHING
        searching = self._state.searching
        collection = await searching.run(self._collection, KEYWORDS)
        most = max(self._wanted.keywords, MOST_WORDS_OF_A_SLOT)
        spoken, vocabulary = await self._loaded.vocabularies.spoken(encoded.slots, collection, searching, most)
        return spoken, heard_in(self._wanted.words, spoken.slots, vocabulary)

    async def _keywords(
        self, vector: Vector, spoken: SpokenKeywords, offset_s: float, watch: Stopwatch
    ) -> LiveKeywords:
        most = self._wanted.keywords
        near = await watch.run("search", self._state.searching, partial(self._near_keywords, vector))
        return LiveKeywords(
            keywords=near,
            words=[word.model_copy(update=_later(word.start, word.end, offset_s)) for word in spoken.words[:most]],
            slots=[
                slot.model_copy(update={"words": slot.words[:most], **_later(slot.start, slot.end, offset_s)})
                for slot in spoken.slots
            ],
        )


def _query(top_k: int, where: Filter | None = None) -> SearchQuery:
    # What was validated at the start of the stream is not validated again.
    return SearchQuery.model_construct(top_k=top_k, filter=where)


def _later(start: float, end: float, offset_s: float) -> dict[str, float]:
    return {"start": round(start + offset_s, SECOND_DIGITS), "end": round(end + offset_s, SECOND_DIGITS)}
