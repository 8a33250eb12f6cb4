"""The cascaded branch in its four forms: an utterance becomes keywords, and those a sentence that CLIP reads.

cascaded and hybrid have learnt tokens that each attend to one keyword; cascaded+ and hybrid+ find as many keywords as
there are. The hybrids have one learnt token more in the same attention, for the parallel branch (spec 3.9 to 3.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.branches.cif import Cif, Fired
from models.branches.heads import AttentionHead, Head, TransformerHead, learnt_tokens, padding_mask, prepend, projection
from models.branches.keyword_norm import KeywordNorm
from models.branches.quantizer import Subwords, quantize
from models.clip import unit
from models.config import CascadedConfig, ModelConfig


@dataclass(frozen=True)
class Keywords:
    """What the slots of a batch heard. Of the K slots the first `counts` (B,) of an utterance are real.

    projected, vectors: (B, K, E) before and after normalisation; scores: (B, K, V) cosines of `vectors` to every
    sub-word; targets: (B, K) the chosen ones; embeddings: (B, K, E) these, as CLIP embeds them
    fired: how they were found, where the slots are not fixed
    """

    projected: Tensor
    vectors: Tensor
    scores: Tensor
    targets: Tensor
    embeddings: Tensor
    counts: Tensor
    fired: Fired | None


class CascadedBranch(nn.Module):
    def __init__(self, config: ModelConfig, branch: CascadedConfig) -> None:
        super().__init__()
        size, text = config.audio.hidden_size, config.clip.text
        self.config = branch
        hybrid = "parallel" in config.branches
        self.parallel_cls = learnt_tokens(1, size) if hybrid else None
        self.keyword_cls = None if branch.cif else learnt_tokens(branch.keywords, size)
        self.self_att = _head(size, branch)
        self.parallel_proj = projection(size, branch.parallel_projection, config.embedding_size) if hybrid else None
        self.cif = Cif(size, branch.cif, most=text.context_length - 2) if branch.cif else None
        self.keyword_proj = projection(size, branch.keyword_projection, text.width)
        self.keyword_norm = KeywordNorm(text.width, branch.keywords if branch.batch_norm == "each" else None)

    def prepend(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[learnt tokens; frames] for the attention, and its padding mask."""
        tokens = [token for token in (self.parallel_cls, self.keyword_cls) if token is not None]
        return prepend(tokens, features, lengths)

    def parallel(self, features: Tensor, lengths: Tensor) -> Tensor:
        """The parallel branch of a hybrid: (B, T, D) frames of which `lengths` are real -> (B, E)."""
        if self.parallel_proj is None:
            raise ValueError("this branch has no parallel token")
        x, padding = self.prepend(features, lengths)
        projected: Tensor = self.parallel_proj(self.self_att(x, padding, queries=1)[:, 0])
        return projected

    def forward(self, features: Tensor, lengths: Tensor, subwords: Subwords, independent: bool) -> Keywords:
        """(B, T, D) frames of which `lengths` (B,) are real, and what to choose from -> keywords."""
        x, padding = self.prepend(features, lengths)
        fired = None
        if self.cif is None:
            heard = self.self_att(x, padding, queries=self._before + self.config.keywords)[:, self._before :]
            counts = torch.full_like(lengths, self.config.keywords)
        else:
            attended = self.self_att(x, padding, queries=x.shape[1])[:, self._before :]
            fired = self.cif(attended, lengths, independent)
            heard, counts = fired.features, fired.counts
        projected = self.keyword_proj(heard)
        vectors = self.keyword_norm(projected)
        # Half precision would round cosines to steps of 1/256, as coarse as the differences that matter (spec 3.9.3).
        with torch.autocast(vectors.device.type, enabled=False):
            scores = unit(vectors) @ subwords.directions.T
        embeddings, targets = quantize(scores, subwords.rows, self.config.temperature, self.training)
        return Keywords(projected, vectors, scores, targets, embeddings, counts, fired)

    def attention(self, features: Tensor, lengths: Tensor, keywords: Keywords) -> Tensor:
        """(B, K, T), rows that sum to 1: how much of each keyword is from which frame."""
        if keywords.fired is not None:
            weights = keywords.fired.weights
        else:
            x, padding = self.prepend(features, lengths)
            tokens = self._before + self.config.keywords
            weights = self.self_att.attention(x, padding, tokens)[:, :, self._before :, tokens:].mean(1)
        sums = weights.sum(-1, keepdim=True)
        even = (~padding_mask(features.shape[1], lengths) / lengths[:, None])[:, None]
        return torch.where(sums > 0, weights / sums, even)

    @property
    def _before(self) -> int:
        """Positions before those that keywords are made of."""
        return 0 if self.parallel_cls is None else 1


def _head(size: int, branch: CascadedConfig) -> Head:
    if branch.head == "attention":
        return AttentionHead(size, branch.heads)
    return TransformerHead(size, branch.heads, branch.ffn_size or 4 * size)


def read_keywords(clip: Any, embeddings: Tensor, counts: Tensor) -> Tensor:
    """The text [start, keywords, end] of the first `counts` (B,) of (B, K, E) embeddings -> (B, E) as CLIP reads it.

    No position of CLIP's text tower sees a later one, so the tower ends where the longest text does.
    """
    rows, size = torch.arange(len(embeddings), device=embeddings.device), embeddings.shape[1] + 2
    table = clip.token_embedding.weight
    start, end = table[-2], table[-1]
    x = torch.cat([start.expand(len(embeddings), 1, -1), embeddings, end.expand(len(embeddings), 1, -1)], dim=1)
    x[rows, counts + 1] = end
    x = clip.transformer(x + clip.positional_embedding[:size], attn_mask=clip.attn_mask[:size, :size])
    read: Tensor = clip.ln_final(x[rows, counts + 1]) @ clip.text_projection
    return read
