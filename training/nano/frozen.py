"""Stage 5: the head learns on frozen features, which are computed once.

This is SpeechCLIP's own training: the audio encoder is frozen, the branch learns. With the features kept in memory, a
step costs a small part of one that has to run the encoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from models.hubert import Frames
from training.nano.batches import BatchStream, SpokenCorpus, stream
from training.nano.listener import Listener
from training.nano.optimiser import Optimiser, autocast
from training.nano.pairs import PairLoss
from training.nano.recipe import Stage
from training.nano.steps import Losses, StageRun

SAVE_EVERY = 1_000


@dataclass(frozen=True)
class FrozenBatch:
    """What the frozen encoder makes of one batch: features (B, T, D) in half precision."""

    features: Tensor
    lengths: Tensor
    phrases: Tensor

    def frames(self) -> Frames:
        return Frames((), self.features.float(), self.lengths)


@torch.no_grad()
def freeze(
    listener: Listener, corpus: tuple[SpokenCorpus, NDArray[np.float64]], batches: int, size: int, seed: int
) -> Sequence[FrozenBatch]:
    """Features of `batches` batches of augmented utterances."""
    torch.set_flush_denormal(True)
    source = stream(BatchStream(corpus[0], size, seed, corpus[1]))
    frozen = []
    for _ in track(range(batches), "features"):
        batch = next(source)
        with autocast():
            frames = listener.frames(batch)
        frozen.append(FrozenBatch(frames.features.bfloat16(), frames.lengths, batch.phrases))
    return frozen


def train_head(
    checkpoint: Path, listener: Listener, frozen: Sequence[FrozenBatch], pairs: PairLoss, stage: Stage, seed: int
) -> None:
    """Train the branch and the temperature, or go on from the checkpoint."""
    optimiser = Optimiser([listener.cascaded_branch], stage, [listener.scale])
    run = StageRun(checkpoint, listener, optimiser)
    order = islice(_order(len(frozen), seed), run.first, None)

    def losses(number: int) -> Losses:
        batch, rng = frozen[next(order)], np.random.default_rng((seed, number))
        with autocast():
            vectors = listener.embed(batch.frames())
        return {"pairs": pairs(vectors, listener.scale.exp(), batch.phrases, rng)}

    run.train(losses, SAVE_EVERY)


def _order(count: int, seed: int) -> Iterator[int]:
    rng = np.random.default_rng(seed)
    while True:
        yield from rng.permutation(count).tolist()
