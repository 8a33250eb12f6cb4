"""The loss of the listening stage: CTC on phonemes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.hubert import Frames
from training.nano.listener import Listener


class PhonemeLoss:
    """Mean over utterances of the negative log-likelihood per phoneme; symbol 0 is the blank."""

    def __init__(self, phrases: Sequence[str], phonemes: Mapping[str, tuple[str, ...]]) -> None:
        self.alphabet = sorted({symbol for sounds in phonemes.values() for symbol in sounds})
        number = {symbol: n + 1 for n, symbol in enumerate(self.alphabet)}
        self.symbols = len(self.alphabet)
        self._targets = [torch.tensor([number[symbol] for symbol in phonemes[phrase]]) for phrase in phrases]

    def __call__(self, listener: Listener, frames: Frames, phrases: Tensor) -> Tensor:
        """phrases: (B,) positions in the list of phrases."""
        hidden = listener.norm(frames.hidden_states[-1])
        scores = listener.phonemes(hidden).float().log_softmax(-1).transpose(0, 1)
        targets = [self._targets[phrase] for phrase in phrases.tolist()]
        sizes = torch.tensor([len(target) for target in targets])
        loss = F.ctc_loss(scores, torch.cat(targets), frames.lengths, sizes, reduction="none", zero_infinity=True)
        return (loss / sizes.clamp(min=1)).mean()
