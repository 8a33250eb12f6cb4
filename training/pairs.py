"""The loss of the aligning stage: an utterance and a drawing of what it names.

It is the contrastive loss of SpeechCLIP (spec section 6). The image tower is frozen, so the negatives of an utterance
are all drawings of the training vendors and not only those of its batch. Drawings of anything else that the phrase
names are left out of the denominator, as other pairs of the same image are in the paper's loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.clip import unit
from training.clip_stage import to_pixels
from training.losses import contrastive

Drawings = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Pixels (N, H, W, 3), and which emoji each of them shows (N,)."""


class PairLoss:
    def __init__(
        self, clip: nn.Module, vendors: Sequence[Drawings], phrases: Sequence[str], members: Mapping[str, Sequence[int]]
    ) -> None:
        self.vectors = torch.cat([embed_drawings(clip, pixels) for pixels, _ in vendors])
        shown = np.concatenate([positions for _, positions in vendors])
        named = np.stack([np.isin(shown, members[phrase]) for phrase in phrases])
        self._named = torch.from_numpy(named)
        self._columns = [np.flatnonzero(row) for row in named]

    def __call__(self, vectors: Tensor, scale: Tensor, phrases: Tensor, rng: np.random.Generator) -> Tensor:
        """vectors: (B, E) unit vectors of utterances of `phrases` (B,), each paired with a random drawing it names."""
        chosen = torch.tensor([int(rng.choice(self._columns[phrase])) for phrase in phrases.tolist()])
        logits = vectors @ self.vectors.T * scale
        rows = torch.arange(len(phrases))
        named = self._named[phrases]
        denominator = ~named
        denominator[rows, chosen] = True
        also_named = named[:, chosen].T & ~torch.eye(len(phrases), dtype=torch.bool)
        return (contrastive(logits, chosen, denominator) + contrastive(logits[:, chosen].T, rows, ~also_named)) / 2


@torch.no_grad()
def embed_drawings(clip: nn.Module, pixels: NDArray[np.uint8]) -> Tensor:
    """(N, H, W, 3) bytes -> (N, E) unit vectors."""
    parts = [clip.encode_image(to_pixels(pixels[i : i + 256])) for i in range(0, len(pixels), 256)]  # type: ignore[operator]
    return unit(torch.cat(parts))
