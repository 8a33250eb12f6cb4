"""SpeechCLIP as one network: HuBERT, a branch on top of it, and CLIP (spec section 1)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from models.clip import build_clip, unit
from models.config import ModelConfig
from models.heads import ParallelBranch
from models.hubert import AudioEncoder, BatchSemantics


class SpeechClip(nn.Module):
    """All embeddings it returns are float32 and of unit length, (B, E)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.audio_encoder = AudioEncoder(config.audio)
        size, branch = config.audio.hidden_size, config.parallel
        self.parallel_branch = ParallelBranch(size, branch.heads, branch.ffn_size or 4 * size, config.embedding_size)
        self.clip: Any = build_clip(config.clip, config.embedding_size)

    def embed_speech(self, waves: Tensor, lengths: Tensor, semantics: BatchSemantics = "independent") -> Tensor:
        """waves: (B, N) float32 at 16 kHz, zero padded; lengths: (B,) samples."""
        frames = self.audio_encoder(waves, lengths, semantics)
        return unit(self.parallel_branch(frames.features, frames.lengths))

    def embed_images(self, images: Tensor) -> Tensor:
        """images: (B, 3, H, H), preprocessed."""
        return unit(self.clip.encode_image(images))

    def embed_texts(self, tokens: Tensor) -> Tensor:
        """tokens: (B, context_length) from the model's tokeniser."""
        return unit(self.clip.encode_text(tokens))
