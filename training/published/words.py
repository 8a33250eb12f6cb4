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

    The mean of two: whether a slot hears any of what was said, and whether each word is heard by a slot of its own.
    """
    chances = (candidates(scores) / TEMPERATURE).softmax(-1)
    chances = chances.masked_fill(padding_mask(scores.shape[1], counts)[..., None], 0.0)
    known = said.sum(1) > 0
    if not known.any():
        return scores.sum() * 0.0
    chances, counts, said = chances[known], counts[known], said[known]
    real = ~padding_mask(chances.shape[1], counts)
    heard = (chances * said[:, None]).sum(-1).clamp(min=_LEAST).log()
    a_slot = (heard * real).sum() / real.sum()
    weights, own = _shared_out(chances, real, said)
    a_word = ((own.clamp(min=_LEAST).log() * weights).sum(1) / weights.sum(1).clamp(min=_LEAST)).mean()
    return -(a_slot + a_word) / 2


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
