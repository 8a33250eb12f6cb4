"""The loss of the aligning stage: an utterance and a picture of what it names.

It is the contrastive loss of SpeechCLIP (spec section 6). The image tower is frozen, so the negatives of an utterance
are all drawings of the training vendors and not only those of its batch. Drawings of anything else that the phrase
names are left out of the denominator, as other pairs of the same image are in the paper's loss. Captions have
pictures, and texts, of their own: a scene with a dog in it is no wrong answer to "dog".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.clip import Tokenizer, unit
from training.losses import contrastive
from training.nano.clip_stage import to_pixels

Drawings = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Pixels (N, H, W, 3), and which emoji each of them shows (N,)."""

Tower = Callable[[Tensor], Tensor]


class PairLoss:
    """vectors: (N, E) unit vectors of pictures, or texts, and what each of them shows (N,); members: by phrase, which
    of that it names. Utterances of other phrases are not looked at.
    """

    def __init__(
        self, vectors: Tensor, shown: NDArray[np.int64], phrases: Sequence[str], members: Mapping[str, Sequence[int]]
    ) -> None:
        self.vectors = vectors
        named = np.stack([np.isin(shown, members.get(phrase, ())) for phrase in phrases])
        self._named = torch.from_numpy(named)
        self._columns = [np.flatnonzero(row) for row in named]

    def __call__(self, vectors: Tensor, scale: Tensor, phrases: Tensor, rng: np.random.Generator) -> Tensor:
        """vectors: (B, E) unit vectors of utterances of `phrases` (B,).

        To images, the mean over all drawings that the phrase names (what random pairs would give in the long run,
        without their noise); to speech, a random one of them against the utterances of the batch. It counts as much
        as the share of the batch that is looked at.
        """
        mine = self._named[phrases].any(1)
        if not mine.any():
            return vectors.sum() * 0.0
        return self._loss(vectors[mine], scale, phrases[mine], rng) * mine.float().mean()

    def _loss(self, vectors: Tensor, scale: Tensor, phrases: Tensor, rng: np.random.Generator) -> Tensor:
        # Autocast would round the similarities to steps of 1/256, as coarse as the differences that matter.
        with torch.autocast(vectors.device.type, enabled=False):
            logits, named = vectors.float() @ self.vectors.T * scale, self._named[phrases]
            others = logits.masked_fill(named, -torch.inf).logsumexp(1, keepdim=True)
            to_images = ((F.softplus(others - logits) * named).sum(1) / named.sum(1)).mean()
            chosen = torch.tensor([int(rng.choice(self._columns[phrase])) for phrase in phrases.tolist()])
            also_named = named[:, chosen].T & ~torch.eye(len(phrases), dtype=torch.bool)
            to_speech = contrastive(logits[:, chosen].T, torch.arange(len(phrases)), ~also_named)
            return (to_images + to_speech) / 2


def drawing_pairs(
    clip: nn.Module, vendors: Sequence[Drawings], phrases: Sequence[str], members: Mapping[str, Sequence[int]]
) -> PairLoss:
    """Phrases and the drawings of these vendors."""
    vectors = torch.cat([embed_drawings(clip, pixels) for pixels, _ in vendors])
    return PairLoss(vectors, np.concatenate([positions for _, positions in vendors]), phrases, members)


def text_pairs(clip: nn.Module, tokens: Tokenizer, texts: Sequence[str], phrases: Sequence[str]) -> PairLoss:
    """Phrases and themselves as CLIP reads them, against all of `texts`. Phrases that are none of these are skipped."""
    own = {text: (number,) for number, text in enumerate(texts)}
    return PairLoss(embed_in_parts(towers(clip)[1], tokens(texts)), np.arange(len(texts)), phrases, own)


def towers(clip: nn.Module) -> tuple[Tower, Tower]:
    """That of images and that of texts."""
    return clip.encode_image, clip.encode_text  # type: ignore[return-value]


@torch.no_grad()
def embed_in_parts(tower: Tower, inputs: Tensor) -> Tensor:
    """Images (N, 3, H, H) or tokens (N, T) -> (N, E) unit vectors."""
    return unit(torch.cat([tower(part) for part in torch.split(inputs, 256)]))


@torch.no_grad()
def embed_drawings(clip: nn.Module, pixels: NDArray[np.uint8]) -> Tensor:
    """(N, H, W, 3) bytes -> (N, E) unit vectors."""
    parts = [clip.encode_image(to_pixels(pixels[i : i + 256])) for i in range(0, len(pixels), 256)]  # type: ignore[operator]
    return unit(torch.cat(parts))
