"""The loss of keywords in tuning: as many as there are words, and each is told its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.branches.quantizer import Subwords
from models.clip import Tokenizer
from models.hubert import Frames
from training.nano.listener import Listener
from training.nano.steps import Losses
from training.words import Said, ordered_words_loss

QUANTITY_WEIGHT = 0.25


class KeywordLoss:
    """phrases: all that may be said; vocabulary: the sub-words that keywords are chosen from, as CLIP embeds them."""

    def __init__(self, clip: nn.Module, phrases: Sequence[str], vocabulary: Sequence[int], tokens: Tokenizer) -> None:
        embedding: Any = clip.token_embedding
        self.table: Tensor = embedding.weight[torch.tensor(vocabulary)].detach()
        self.subwords, self._said = Subwords.of(self.table), Said(phrases, vocabulary, tokens)

    def __call__(self, listener: Listener, frames: Frames, phrases: Tensor) -> Losses:
        """phrases: (B,) positions in the list of phrases."""
        told = self._said(phrases)
        found = listener.keywords(frames, told.counts, self.subwords)
        fired: Any = found.fired  # of hybrid+ there always is
        return {
            "words": ordered_words_loss(found.scores, found.counts, told),
            "quantity": QUANTITY_WEIGHT * F.l1_loss(fired.quantity.float(), told.counts.float()),
        }
