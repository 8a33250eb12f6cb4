"""The contrastive loss of SpeechCLIP (spec section 6)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

TEMPERATURE = 0.07


def negatives(ids: Tensor) -> Tensor:
    """(B, B) bool: which pairs enter the denominator. Other pairs of the same image do not; the diagonal does."""
    mask = ids[:, None] != ids[None, :]
    return mask | torch.eye(len(ids), dtype=torch.bool, device=ids.device)


def contrastive(logits: Tensor, positives: Tensor, denominator: Tensor) -> Tensor:
    """Mean over rows of log sum exp over `denominator` minus the positive logit.

    logits: (A, B) scaled similarities in float32; positives: (A,) column of each row's positive;
    denominator: (A, B) bool, True for the positive and for every negative.
    """
    positive = logits.gather(1, positives[:, None]).squeeze(1)
    return (logits.masked_fill(~denominator, -torch.inf).logsumexp(1) - positive).mean()


class MaskedContrastiveLoss(nn.Module):
    """Symmetric InfoNCE over a batch of pairs; rows of a and b are unit vectors.

    The temperature is stored as log(1 / tau) and is never clamped; `margin` is taken from the scaled positive
    similarity, and with `decoupled` the positive is left out of the denominator.
    """

    def __init__(
        self,
        temperature: float = TEMPERATURE,
        trainable: bool = False,
        margin: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(math.log(1 / temperature)), requires_grad=trainable)
        self.margin, self.decoupled = margin, decoupled

    def forward(self, a: Tensor, b: Tensor, ids: Tensor | None = None) -> Tensor:
        """a, b: (B, E); ids: (B,) image ids. Returns a scalar."""
        size = len(a)
        ids = torch.arange(size, device=a.device) if ids is None else ids
        diagonal = torch.eye(size, dtype=torch.bool, device=a.device)
        logits = a.float() @ b.float().T * self.temperature.exp() - self.margin * diagonal
        mask = negatives(ids) & ~diagonal if self.decoupled else negatives(ids)
        rows = torch.arange(size, device=a.device)
        return (contrastive(logits, rows, mask) + contrastive(logits.T, rows, mask.T)) / 2
