"""Keyword hit rates: are the sub-words that a model's slots choose in what was said? (spec section 9)

An utterance's slot hits if any of the five sub-words nearest to the chosen one is in the caption, the chosen one among
them. `published` counts as the authors did: the caption is taken with its start, its end and the exclamation marks that
fill it up to 77 places, and the neighbours may be these, too. `clean` counts words only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.branches.quantizer import SPECIAL
from models.clip import Tokenizer
from models.config import TextConfig
from training.evaluation.embedder import NO_SUBWORD, Vectors
from training.evaluation.embedding import NO_TEXT, Embedded
from training.nano.retrieval import interval, resampled

NEIGHBOURS = 5
FILLER = "!"  # id 0


@dataclass(frozen=True)
class Rate:
    """Per cent, with its 95 % interval."""

    percent: float
    low: float
    high: float


@dataclass(frozen=True)
class SlotRates:
    """Over `utterances` that have this slot; `slot` None: over every slot of every utterance."""

    slot: int | None
    utterances: int
    published: Rate
    clean: Rate


@dataclass(frozen=True)
class KeywordRates:
    overall: SlotRates
    slots: Sequence[SlotRates]


@dataclass(frozen=True)
class Subwords:
    """What slots choose from. ids: (V,) in CLIP's byte-pair encoding; table: (V, E)."""

    ids: NDArray[np.int64]
    table: Vectors
    text: TextConfig


def keyword_rates(embedded: Embedded, subwords: Subwords) -> KeywordRates | None:
    """None where there are no slots, or no utterance has a text."""
    rows = np.flatnonzero(embedded.text_of != NO_TEXT)
    chosen = embedded.subwords[rows]
    real = chosen != NO_SUBWORD
    if not real.any():
        return None
    texts = [embedded.pairs[row].text or "" for row in rows.tolist()]
    published, clean = hits(chosen, texts, subwords)
    groups = embedded.image_of[rows]

    def rates(slot: int | None) -> SlotRates:
        where = real if slot is None else real & (np.arange(real.shape[1]) == slot)
        images = np.unique(np.repeat(groups, where.sum(1)), return_inverse=True)[1]
        return SlotRates(slot, int(where.sum()), _rate(published[where], images), _rate(clean[where], images))

    return KeywordRates(rates(None), [rates(slot) for slot in range(real.shape[1]) if real[:, slot].any()])


def hits(
    chosen: NDArray[np.int64], texts: Sequence[str], subwords: Subwords
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N, K) as published, and clean. chosen: (N, K) sub-words, -1 for none, which is no hit."""
    known = np.unique(chosen[chosen != NO_SUBWORD])
    row_of = {int(id): row for row, id in enumerate(subwords.ids)}
    rows = np.array([row_of[int(id)] for id in known], np.int64)
    every = _neighbours(rows, subwords, without=())
    words = _neighbours(rows, subwords, without=SPECIAL)
    place = {int(id): n for n, id in enumerate(known)}
    gold = Gold(subwords.text)
    published, clean = np.zeros(chosen.shape, np.bool_), np.zeros(chosen.shape, np.bool_)
    for n, text in enumerate(texts):
        as_published, as_said = gold.published(text), gold.clean(text)
        for k, id in enumerate(chosen[n].tolist()):
            if id != NO_SUBWORD:
                published[n, k] = not as_published.isdisjoint(every[place[id]])
                clean[n, k] = not as_said.isdisjoint(words[place[id]])
    return published, clean


class Gold:
    """The sub-words of a caption."""

    def __init__(self, text: TextConfig) -> None:
        self._tokens = Tokenizer.of(text)
        self._places = text.context_length - 2  # beside the start and the end

    def clean(self, caption: str) -> set[int]:
        """Those that are said."""
        return set(self._tokens.encode(caption)[: self._places])

    def published(self, caption: str) -> set[int]:
        """The authors encode the caption, decode all 77 places of that, and encode what comes out."""
        ids = self._tokens.encode(caption)[: self._places]
        again = self._tokens.encode(self._tokens.decode(ids))
        filled = self._tokens.encode(FILLER * (self._places - len(ids)))
        return {self._tokens.sot, self._tokens.eot, *again, *filled}


def _neighbours(rows: NDArray[np.int64], subwords: Subwords, without: Sequence[int]) -> list[list[int]]:
    """For each row of the table the ids of the rows nearest to it, the lower one of equally near ones first."""
    table = subwords.table / np.maximum(np.linalg.norm(subwords.table, axis=1, keepdims=True), 1e-8)
    found = []
    for row in rows:
        scores = table @ table[row]
        scores[list(without)] = -np.inf
        found.append(subwords.ids[np.argsort(-scores, kind="stable")[:NEIGHBOURS]].tolist())
    return found


def _rate(hit: NDArray[np.bool_], groups: NDArray[np.int64]) -> Rate:
    low, high = interval(resampled(hit[:, None], groups), (0,), digits=None)[0]
    return Rate(100 * float(hit.mean()), low, high)
