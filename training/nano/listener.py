"""The speech side of the model while it is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.clip import unit
from models.config import ModelConfig
from models.hubert import Frames
from models.listeners import pad
from models.speechclip import SpeechClip
from training.losses import TEMPERATURE
from training.nano.batches import Batch

EVALUATION_BATCH = 16


class Listener(nn.Module):
    """Audio encoder and branch of the model, and what training alone needs: a phoneme layer and a temperature.

    `scale` is log(1 / tau), as in the official checkpoints.
    """

    def __init__(self, config: ModelConfig, phonemes: int) -> None:
        super().__init__()
        whole = SpeechClip(config)
        self.audio_encoder, self.parallel_branch = whole.audio_encoder, whole.parallel_branch
        self.norm = nn.LayerNorm(config.audio.hidden_size)
        self.phonemes = nn.Linear(config.audio.hidden_size, phonemes + 1)
        self.scale = nn.Parameter(torch.tensor(math.log(1 / TEMPERATURE)))

    def frames(self, batch: Batch) -> Frames:
        frames: Frames = self.audio_encoder(batch.waves, batch.lengths)
        return frames

    def embed(self, frames: Frames) -> Tensor:
        """(B, E) unit vectors."""
        return unit(self.parallel_branch(frames.features, frames.lengths))

    @torch.no_grad()
    def embed_speech(self, waves: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Waveforms (samples,) -> (N, E), in their order."""
        order = sorted(range(len(waves)), key=lambda n: len(waves[n]))
        vectors = np.empty((len(waves), self.parallel_branch.linear_proj.out_features), np.float32)
        for start in range(0, len(waves), EVALUATION_BATCH):
            part = order[start : start + EVALUATION_BATCH]
            vectors[part] = self.embed(self.audio_encoder(*pad([waves[n] for n in part]))).numpy()
        return vectors
