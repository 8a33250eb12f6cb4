"""A loss that the papers have not: slots are told which words were said, where the corpus knows them.

Contrast with images alone finds keywords only after very many pairs. Slots of a fixed number hear words in any order,
and a sub-word counts the more the fewer captions have it, so that a slot gains little by hearing "the". Slots that are
integrated are as many as there are words, and each is told its own, in the order in which the caption has them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.branches.heads import padding_mask
from models.branches.quantizer import candidates
from models.clip import Tokenizer

TEMPERATURE = 0.1
ORDERED_TEMPERATURE = 0.05
_LEAST = 1e-6  # of a probability, so that its logarithm is one

Mean = Callable[[Tensor, Tensor], Tensor]
"""(a sum, of how many) -> their mean."""


@dataclass(frozen=True)
class Told:
    """What is said in a batch.

    anywhere: (B, V) what each sub-word counts, 0 where it is not said
    in_order: (B, N, V) of each word the shares of its sub-words, nothing where the vocabulary has none of them
    counts: (B,) how many words there are, 0 where that is not known
    """

    anywhere: Tensor
    in_order: Tensor
    counts: Tensor

    def to(self, device: torch.device) -> Told:
        return Told(self.anywhere.to(device), self.in_order.to(device), self.counts.to(device))


class Said:
    """Which sub-words of a vocabulary are said in each caption, in which order, and how much each of them counts."""

    def __init__(self, captions: Sequence[str | None], vocabulary: Sequence[int], tokens: Tokenizer) -> None:
        row_of = {number: row for row, number in enumerate(vocabulary)}
        for special in (0, tokens.sot, tokens.eot):
            row_of.pop(special, None)
        self._words = [
            [[row_of[id] for id in tokens.encode(word) if id in row_of] for word in (caption or "").split()]
            for caption in captions
        ]
        self._rows = [sorted({row for word in words for row in word}) for words in self._words]
        counts = Counter(row for rows in self._rows for row in rows)
        self._weights = torch.zeros(len(vocabulary))
        for row, count in counts.items():
            self._weights[row] = (math.log(len(captions) / count) / math.log(len(captions) + 1)) ** 2

    def __call__(self, places: Tensor) -> Told:
        """Of the captions at these places (B,)."""
        anywhere = torch.zeros(len(places), len(self._weights))
        words = [self._words[place] for place in places.tolist()]
        in_order = torch.zeros(len(places), max(map(len, words)), len(self._weights))
        for number, place in enumerate(places.tolist()):
            said = self._rows[place]
            anywhere[number, said] = self._weights[said]
            for position, rows in enumerate(words[number]):
                in_order[number, position, rows] = 1 / max(1, len(set(rows)))
        return Told(anywhere, in_order, torch.tensor([len(one) for one in words]))


def mean_of(total: Tensor, count: Tensor) -> Tensor:
    """The mean of `count` numbers by their sum; 0 of none."""
    return total / count.clamp(min=1)


def ordered_words_loss(scores: Tensor, counts: Tensor, told: Told, mean: Mean = mean_of) -> Tensor:
    """scores: (B, K, V) cosines, of which the slots before `counts` (B,) are real, in the order in which they fired.

    The mean over the slots that have a word: how sure each is of the sub-words of its own.
    """
    most = min(scores.shape[1], told.in_order.shape[1])
    shares, real = told.in_order[:, :most], ~padding_mask(most, counts.clamp(max=most))
    chances = (candidates(scores[:, :most]) / ORDERED_TEMPERATURE).log_softmax(-1)
    # A sub-word that no slot may be is infinitely unlikely, and is never said.
    surprise = -torch.where(shares > 0, shares * chances, 0.0).sum(-1)
    own = real & (shares.sum(-1) > 0)
    return mean((surprise * own).sum(), own.sum())


def words_loss(scores: Tensor, counts: Tensor, said: Tensor, mean: Mean = mean_of) -> Tensor:
    """scores: (B, K, V) cosines, of which the slots before `counts` (B,) are real; said: (B, V) from `Said`.

    The mean of two: whether a slot hears any of what was said, and whether each word is heard by a slot of its own.
    """
    chances = (candidates(scores) / TEMPERATURE).softmax(-1)
    chances = chances.masked_fill(padding_mask(scores.shape[1], counts)[..., None], 0.0)
    known = said.sum(1) > 0
    chances, counts, said = chances[known], counts[known], said[known]
    real = ~padding_mask(chances.shape[1], counts)
    heard = (chances * said[:, None]).sum(-1).clamp(min=_LEAST).log()
    a_slot = mean((heard * real).sum(), real.sum())
    weights, own = _shared_out(chances, real, said)
    words = (own.clamp(min=_LEAST).log() * weights).sum(1) / weights.sum(1).clamp(min=_LEAST)
    return -(a_slot + mean(words.sum(), known.sum())) / 2


def _shared_out(chances: Tensor, real: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
    """(B, N) what the N words of each utterance count that a slot is found for, and how sure this one is of it.

    The rarest word chooses first, and takes the slot that is the surest of it. Otherwise all slots would hear the word
    that is the easiest to hear.
    """
    weights, rows = said.topk(min(chances.shape[1], said.shape[1]))
    sure = chances.gather(2, rows[:, None].expand(-1, chances.shape[1], -1))
    free, own = real.clone(), []
    for number in range(weights.shape[1]):
        own.append(sure[..., number].detach().masked_fill(~free, -1.0).argmax(1, keepdim=True))
        weights[:, number] *= free.any(1)
        free.scatter_(1, own[-1], False)
    return weights, sure.gather(1, torch.cat(own, dim=1)[:, None])[:, 0]
