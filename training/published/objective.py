"""The loss of every variant (spec section 6)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.branches.cascaded import Keywords
from models.config import Branch
from models.hubert import BatchSemantics, Frames
from models.speechclip import SpeechClip
from training.losses import MaskedContrastiveLoss
from training.published.gather import everyones, mean_of_all
from training.published.recipe import Loss
from training.words import Mean, Told, mean_of, ordered_words_loss, words_loss


@dataclass(frozen=True)
class Heard:
    """vectors: (B, E) by branch; keywords: where there are some; quantity, wanted: (B,) how many of them by their sum
    of weights, and as there should be.
    """

    vectors: dict[Branch, Tensor]
    keywords: Keywords | None = None
    quantity: Tensor | None = None
    wanted: Tensor | None = None


def hear(model: SpeechClip, frames: Frames, semantics: BatchSemantics, wanted: Tensor) -> Heard:
    """What every branch of the model makes of a batch that HuBERT heard with `semantics`.

    wanted: (B,) how many keywords there should be, for a model that may have any number of them
    """
    vectors = dict[Branch, Tensor]()
    if "parallel" in model.config.branches:
        vectors["parallel"] = model.embed_whole(frames)
    if "cascaded" not in model.config.branches:
        return Heard(vectors)
    keywords = model.keywords(frames, semantics)
    vectors["cascaded"] = model.embed_keywords(keywords)
    if keywords.fired is None:
        return Heard(vectors, keywords)
    return Heard(vectors, keywords, keywords.fired.quantity, wanted)


class Objective(nn.Module):
    """The weighted losses of all branches, which share a temperature, of the number of keywords, and of their words."""

    def __init__(self, weights: Loss) -> None:
        super().__init__()
        self.weights = weights
        self.contrastive = MaskedContrastiveLoss(weights.temperature, weights.temperature_learnt)

    def forward(
        self, heard: Heard, images: Tensor, ids: Tensor, together: bool, told: Told | None = None
    ) -> dict[str, Tensor]:
        """images: (B, E), ids: (B,). The parts, weighted, by name, and their sum, `loss`.

        together: negatives are gathered from all processes, and means are over all of them; told: what was said
        """
        spread, mean = (everyones, mean_of_all) if together else (_alone, mean_of)
        # In half precision, similarities as far apart as 1 / temperature would be too coarse.
        with torch.autocast(images.device.type, enabled=False):
            images, ids = spread(images), spread(ids)
            parts = {
                f"{branch}_loss": getattr(self.weights, branch) * self.contrastive(spread(vectors), images, ids)
                for branch, vectors in heard.vectors.items()
            }
            if heard.quantity is not None and heard.wanted is not None:
                parts["quantity_loss"] = self.weights.quantity * _away(heard.quantity, heard.wanted, mean)
            if heard.keywords is not None and told is not None:
                parts["words_loss"] = self.weights.words * _words(heard.keywords, told, mean)
        return {"loss": torch.stack(list(parts.values())).sum(), **parts}


def _away(quantity: Tensor, wanted: Tensor, mean: Mean) -> Tensor:
    return mean((quantity - wanted).abs().sum(), torch.tensor(len(wanted), device=wanted.device))


def _words(keywords: Keywords, told: Told, mean: Mean) -> Tensor:
    if keywords.fired is None:
        return words_loss(keywords.scores, keywords.counts, told.anywhere, mean)
    return ordered_words_loss(keywords.scores, keywords.counts, told, mean)


def _alone(rows: Tensor) -> Tensor:
    return rows
