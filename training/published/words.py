"""A loss that the papers have not: slots are told which words were said, where the corpus knows them.

Contrast with images alone finds keywords only after very many pairs. A sub-word counts the more the fewer captions have
it, so that a slot gains little by hearing "the".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from models.branches.heads import padding_mask
from models.branches.quantizer import candidates
from models.clip import Tokenizer

TEMPERATURE = 0.1
_LEAST = 1e-6  # of a probability, so that its logarithm is one


class Said:
    """Which sub-words of a vocabulary are said in each caption, and how much each of them counts."""

    def __init__(self, captions: Sequence[str | None], vocabulary: Sequence[int], tokens: Tokenizer) -> None:
        row_of = {number: row for row, number in enumerate(vocabulary)}
        special = (0, tokens.sot, tokens.eot)
        self._rows = [
            sorted({row_of[id] for id in tokens.encode(caption or "") if id in row_of and id not in special})
            for caption in captions
        ]
        counts = Counter(row for rows in self._rows for row in rows)
        self._weights = torch.zeros(len(vocabulary))
        for row, count in counts.items():
            self._weights[row] = (math.log(len(captions) / count) / math.log(len(captions) + 1)) ** 2

    def __call__(self, places: Tensor) -> Tensor:
        """(B, V): what each sub-word counts where it is said in the caption of that place (B,), 0 where it is not."""
        found = torch.zeros(len(places), len(self._weights))
        for row, place in zip(found, places.tolist(), strict=True):
            said = self._rows[place]
            row[said] = self._weights[said]
        return found


def words_loss(scores: Tensor, counts: Tensor, said: Tensor) -> Tensor:
    """scores: (B, K, V) cosines, of which the slots before `counts` (B,) are real; said: (B, V) from `Said`.

    The mean of two: whether a slot hears any of what was said, and whether any slot hears each of it.
    """
    chances = (candidates(scores) / TEMPERATURE).softmax(-1)
    chances = chances.masked_fill(padding_mask(scores.shape[1], counts)[..., None], 0.0)
    known = said.sum(1) > 0
    if not known.any():
        return scores.sum() * 0.0
    chances, counts, said = chances[known], counts[known], said[known]
    real = ~padding_mask(chances.shape[1], counts)
    heard = (chances * said[:, None]).sum(-1).clamp(min=_LEAST).log()
    missed = (1 - chances).clamp(min=_LEAST).prod(1)
    found = (1 - missed).clamp(min=_LEAST).log()
    a_slot = (heard * real).sum() / real.sum()
    a_word = ((found * said).sum(1) / said.sum(1)).mean()
    return -(a_slot + a_word) / 2
