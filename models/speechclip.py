"""SpeechCLIP as one network: HuBERT, a branch on top of it, and CLIP (spec section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.branches.cascaded import CascadedBranch, Keywords, read_keywords
from models.branches.heads import ParallelBranch
from models.branches.quantizer import Subwords
from models.clip import build_clip, read_texts, unit
from models.config import Branch, ModelConfig
from models.errors import BranchError
from models.hubert import AudioEncoder, BatchSemantics, Frames


class SpeechClip(nn.Module):
    """All embeddings it returns are float32 and of unit length, (B, E).

    vocabulary: ids in CLIP's byte-pair encoding of the sub-words that keywords are chosen from; needed by every branch
    but the parallel one. Raises `ValueError` where it is not as long as configured.
    """

    parallel_branch: ParallelBranch
    cascaded_branch: CascadedBranch
    vocabulary: Tensor

    def __init__(self, config: ModelConfig, vocabulary: Sequence[int] = ()) -> None:
        super().__init__()
        self.config = config
        self.audio_encoder = AudioEncoder(config.audio)
        size, branch = config.audio.hidden_size, config.parallel
        if config.cascaded is None:
            ffn_size = branch.ffn_size or 4 * size
            self.parallel_branch = ParallelBranch(size, branch.heads, ffn_size, config.embedding_size)
        else:
            if len(vocabulary) != config.cascaded.vocabulary_size:
                raise ValueError(f"{len(vocabulary)} sub-words for a model of {config.cascaded.vocabulary_size}")
            self.cascaded_branch = CascadedBranch(config, config.cascaded)
            # On a device of its own choice: it has values even where the network is built without any, on `meta`.
            self.register_buffer("vocabulary", torch.tensor(vocabulary, device="cpu"), persistent=False)
        self.clip: Any = build_clip(config.clip, config.embedding_size)

    def require(self, branch: Branch) -> None:
        """Raises `BranchError` unless the model has this branch."""
        if branch not in self.config.branches:
            name, known = self.config.name, " and ".join(self.config.branches)
            raise BranchError(f"the model {name} has no {branch} branch (it has: {known})")

    def embed_speech(
        self,
        waves: Tensor,
        lengths: Tensor,
        semantics: BatchSemantics = "independent",
        branch: Branch | None = None,
    ) -> Tensor:
        """waves: (B, N) float32 at 16 kHz, zero padded; lengths: (B,) samples; branch: that for search by default.

        Raises `BranchError` for a branch that the model does not have.
        """
        branch = self.config.search_branch if branch is None else branch
        self.require(branch)
        frames = self.audio_encoder(waves, lengths, semantics)
        if branch == "cascaded":
            return self.embed_keywords(self.keywords(frames, semantics))
        return self.embed_whole(frames)

    def embed_whole(self, frames: Frames) -> Tensor:
        """What the parallel branch makes of a batch. Raises `BranchError`."""
        self.require("parallel")
        if self.config.cascaded is None:
            return unit(self.parallel_branch(frames.features, frames.lengths))
        return unit(self.cascaded_branch.parallel(frames.features, frames.lengths))

    def keywords(
        self, frames: Frames, semantics: BatchSemantics = "independent", subwords: Subwords | None = None
    ) -> Keywords:
        """What the slots of the cascaded branch heard in frames made with `semantics`. Raises `BranchError`.

        subwords: those of the model, for a caller that asks often and keeps them
        """
        self.require("cascaded")
        found: Keywords = self.cascaded_branch(
            frames.features, frames.lengths, subwords or Subwords.of(self.subwords), semantics == "independent"
        )
        return found

    def embed_keywords(self, keywords: Keywords) -> Tensor:
        """What the cascaded branch makes of a batch: its keywords, as CLIP reads them."""
        return unit(read_keywords(self.clip, keywords.embeddings, keywords.counts))

    @property
    def subwords(self) -> Tensor:
        """(V, E): what keywords are chosen from."""
        table: Tensor = self.clip.token_embedding.weight[self.vocabulary]
        return table

    def embed_images(self, images: Tensor) -> Tensor:
        """images: (B, 3, H, H), preprocessed."""
        return unit(self.clip.encode_image(images))

    def embed_texts(self, tokens: Tensor) -> Tensor:
        """tokens: (B, context_length) from the model's tokeniser."""
        return unit(read_texts(self.clip, tokens))
