"""Stages 2 and 3: the audio encoder learns to listen, then the head learns CLIP's space from speech-image pairs.

Listening stands in HuBERT's place: a CTC loss on phonemes over synthetic voices. Aligning is SpeechCLIP's own training:
the contrastive loss of spec section 6 between an utterance and a drawing. The image tower is frozen, so the negatives
of an utterance are all drawings of the training vendors and not only those of its batch; drawings of anything that the
phrase also names are left out of the denominator, as other pairs of the same image are in the paper's loss. The encoder
is not frozen in this stage (nano's has heard far less than HuBERT), and keeps a share of the CTC loss.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.clip import unit
from models.config import ModelConfig
from models.hubert import Frames
from models.speechclip import SpeechClip
from training.batches import Batch, BatchStream, SpokenCorpus, stream
from training.checkpoint import load_stage, save_stage
from training.clip_stage import to_pixels
from training.drawings import TRAINING, cached_vendor
from training.lexicon import Lexicon
from training.losses import TEMPERATURE, contrastive
from training.optimiser import Optimiser, autocast
from training.recipe import Recipe, Stage

CTC_WEIGHT = 0.3
SAVE_EVERY = 100
REPORT_EVERY = 500


class Listener(nn.Module):
    """The speech side while it is trained: audio encoder, branch, and the phoneme layer that training alone needs."""

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
        return unit(self.parallel_branch(frames.features, frames.lengths))


class PhonemeTargets:
    """CTC targets of a corpus' phrases; symbol 0 is the blank."""

    def __init__(self, corpus: SpokenCorpus, phonemes: Mapping[str, tuple[str, ...]]) -> None:
        alphabet = sorted({symbol for sounds in phonemes.values() for symbol in sounds})
        number = {symbol: n + 1 for n, symbol in enumerate(alphabet)}
        self.count = len(alphabet)
        self.targets = [torch.tensor([number[s] for s in phonemes[phrase]]) for phrase in corpus.phrases]

    def loss(self, listener: Listener, frames: Frames, batch: Batch) -> Tensor:
        hidden = listener.norm(frames.hidden_states[-1])
        scores = listener.phonemes(hidden).float().log_softmax(-1).transpose(0, 1)
        targets = [self.targets[phrase] for phrase in batch.phrases.tolist()]
        sizes = torch.tensor([len(target) for target in targets])
        per_utterance = F.ctc_loss(
            scores, torch.cat(targets), frames.lengths, sizes, reduction="none", zero_infinity=True
        )
        return (per_utterance / sizes).mean()


class Gallery:
    """Every drawing of the training vendors as the frozen image tower sees it, and what each phrase names."""

    def __init__(self, clip: nn.Module, packages: Path, work: Path, lexicon: Lexicon, corpus: SpokenCorpus) -> None:
        vectors, positions = [], []
        for vendor in TRAINING:
            pixels, of_emoji = cached_vendor(packages, work, vendor, lexicon)
            vectors.append(embed_drawings(clip, pixels))
            positions.append(of_emoji)
        self.vectors, of_emoji = torch.cat(vectors), np.concatenate(positions)
        named = [np.isin(of_emoji, lexicon.members.get(phrase, ())) for phrase in corpus.phrases]
        self.named = torch.from_numpy(np.stack(named))
        self.columns = [np.flatnonzero(row) for row in named]

    def loss(self, vectors: Tensor, scale: Tensor, phrases: Tensor, rng: np.random.Generator) -> Tensor:
        """vectors (B, E) of utterances of `phrases` (B,); each is paired with one of the drawings it names."""
        chosen = torch.tensor([int(rng.choice(self.columns[phrase])) for phrase in phrases.tolist()])
        logits = vectors @ self.vectors.T * scale
        denominator = ~self.named[phrases]
        rows = torch.arange(len(phrases))
        denominator[rows, chosen] = True
        to_images = contrastive(logits, chosen, denominator)
        in_batch = logits[:, chosen].T
        also_named = self.named[phrases][:, chosen].T & ~torch.eye(len(phrases), dtype=torch.bool)
        to_speech = contrastive(in_batch, rows, ~also_named)
        return (to_images + to_speech) / 2


@torch.no_grad()
def embed_drawings(clip: nn.Module, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
    """(N, H, W, 3) bytes -> (N, E) unit vectors."""
    parts = [clip.encode_image(to_pixels(pixels[i : i + 256])) for i in range(0, len(pixels), 256)]  # type: ignore[operator]
    return unit(torch.cat(parts))


class Objective(Protocol):
    def __call__(self, frames: Frames, batch: Batch, rng: np.random.Generator) -> Mapping[str, Tensor]: ...


def train_speech(
    name: str,
    listener: Listener,
    objective: Objective,
    corpus: SpokenCorpus,
    recipe: Recipe,
    stage: Stage,
    work: Path,
    report: Report | None = None,
    weights: np.ndarray[tuple[int], np.dtype[np.float64]] | None = None,
) -> None:
    """Run one stage, going on from its last checkpoint; `objective` gives the losses that are added up."""
    optimiser = Optimiser([listener], stage)
    first = load_stage(work / f"{name}.pt", listener, optimiser)
    batches = stream(BatchStream(corpus, stage.batch, recipe.seed + first, weights))
    started, sums = time.monotonic(), dict[str, float]()
    for number in range(first, stage.steps):
        batch = next(batches)
        with autocast():
            frames = listener.frames(batch)
            losses = objective(frames, batch, np.random.default_rng((recipe.seed, number)))
        optimiser.step(sum(losses.values(), torch.zeros(())), number)
        for key, value in losses.items():
            sums[key] = sums.get(key, 0.0) + value.item() / SAVE_EVERY
        if (number + 1) % SAVE_EVERY == 0 or number + 1 == stage.steps:
            save_stage(work / f"{name}.pt", listener, optimiser, number + 1)
            speed = (time.monotonic() - started) / (number + 1 - first)
            print(f"{name} {number + 1}", {k: round(v, 3) for k, v in sums.items()}, f"{speed:.2f} s/step", flush=True)
            sums = {}
        if report is not None and ((number + 1) % REPORT_EVERY == 0 or number + 1 == stage.steps):
            print(f"{name} {number + 1}", report(listener), flush=True)


class Report(Protocol):
    def __call__(self, listener: Listener) -> Mapping[str, object]: ...


def listening(targets: PhonemeTargets, listener: Listener) -> Objective:
    def objective(frames: Frames, batch: Batch, rng: np.random.Generator) -> Mapping[str, Tensor]:
        return {"ctc": targets.loss(listener, frames, batch)}

    return objective


def aligning(targets: PhonemeTargets, gallery: Gallery, listener: Listener) -> Objective:
    def objective(frames: Frames, batch: Batch, rng: np.random.Generator) -> Mapping[str, Tensor]:
        vectors = listener.embed(frames)
        pairs = gallery.loss(vectors, listener.scale.exp(), batch.phrases, rng)
        return {"pairs": pairs, "ctc": CTC_WEIGHT * targets.loss(listener, frames, batch)}

    return objective


def batches_of(items: list[np.ndarray[tuple[int], np.dtype[np.float32]]], size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Zero-padded (waves, lengths) of `size` utterances at a time."""
    for start in range(0, len(items), size):
        part = items[start : start + size]
        lengths = torch.tensor([len(wave) for wave in part])
        waves = torch.zeros(len(part), int(lengths.max()))
        for row, wave in zip(waves, part, strict=True):
            row[: len(wave)] = torch.from_numpy(wave)
        yield waves, lengths
