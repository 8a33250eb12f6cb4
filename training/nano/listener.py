"""The speech side of the model while it is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.branches.cascaded import CascadedBranch, Keywords
from models.branches.quantizer import Subwords
from models.clip import unit
from models.config import ModelConfig
from models.hubert import AudioEncoder, Frames
from models.listeners import pad
from training.losses import TEMPERATURE
from training.nano.batches import Batch
from training.published.in_training import add_aim

EVALUATION_BATCH = 16


class Listener(nn.Module):
    """Audio encoder and branch of a hybrid+ model, and what training alone needs: a phoneme layer and a temperature.

    `scale` is log(1 / tau), as in the official checkpoints. Raises `ValueError` for another kind of model.
    """

    def __init__(self, config: ModelConfig, phonemes: int) -> None:
        super().__init__()
        branch = config.cascaded and CascadedBranch(config, config.cascaded)
        if not branch or not branch.cif or "parallel" not in config.branches:
            raise ValueError(f"nano is a hybrid+ model, not {config.branch}")
        self.audio_encoder, self.cascaded_branch = AudioEncoder(config.audio), branch
        self._size = config.embedding_size
        self.norm = nn.LayerNorm(config.audio.hidden_size)
        self.phonemes = nn.Linear(config.audio.hidden_size, phonemes + 1)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / TEMPERATURE)))
        self._words = torch.zeros(0)
        """(B,) how many words there are in each utterance of now."""
        add_aim(branch.cif, lambda lengths: self._words, lambda: True)

    def frames(self, batch: Batch) -> Frames:
        frames: Frames = self.audio_encoder(batch.waves, batch.lengths)
        return frames

    def embed(self, frames: Frames) -> Tensor:
        """(B, E) unit vectors."""
        return unit(self.cascaded_branch.parallel(frames.features, frames.lengths))

    def keywords(self, frames: Frames, words: Tensor, subwords: Subwords) -> Keywords:
        """As many of each utterance as there are words (B,)."""
        self._words = words.float()
        found: Keywords = self.cascaded_branch(frames.features, frames.lengths, subwords, independent=True)
        return found

    @torch.no_grad()
    def embed_speech(self, waves: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Waveforms (samples,) -> (N, E), in their order."""
        order = sorted(range(len(waves)), key=lambda n: len(waves[n]))
        vectors = np.empty((len(waves), self._size), np.float32)
        for start in range(0, len(waves), EVALUATION_BATCH):
            part = order[start : start + EVALUATION_BATCH]
            vectors[part] = self.embed(self.audio_encoder(*pad([waves[n] for n in part]))).numpy()
        return vectors
