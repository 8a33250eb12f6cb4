"""Encoding everything heard so far anew, beside keeping the convolutions' frames and encoding only the rest anew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.measure import Contender, Spread, compare
from models.audio import SAMPLE_RATE
from models.folder import find_model
from models.hubert import AudioEncoder, Frames
from models.speechclip import SpeechClip

CLIPS_S = (1, 2, 5, 10, 30)
STEP_S = 0.3

Samples = NDArray[np.float32]


def load(model: str) -> SpeechClip:
    """A shipped model by name, or a model folder by path."""
    return find_model(model).load().requires_grad_(False)


def cost_rows(network: SpeechClip, speech: Samples, rounds: int) -> list[dict[str, Any]]:
    """What a clip of each length costs, and what of that the convolutions do, which is all that could be kept."""
    rows = []
    for seconds in CLIPS_S:
        wave = np.resize(speech, seconds * SAMPLE_RATE)
        whole = Contender("whole", partial(_embed, network, wave))
        found = compare(whole, [Contender("convolutions", partial(_frames, network.audio_encoder, wave))], rounds)
        (front,) = found.rivals
        rows.append(
            {
                "seconds": seconds,
                "whole, CPU ms": Spread.of([1000 * cpu for cpu in found.candidate.cpu_s]),
                "convolutions, CPU ms": Spread.of([1000 * cpu for cpu in front.cpu_s]),
            }
        )
    return rows


def same_row(network: SpeechClip, spoken: Sequence[Samples]) -> dict[str, Any]:
    """How near the vectors are that both ways lead to, at the end of each utterance."""
    cosines = [float(_embed(network, wave) @ _embed_kept(network, wave)) for wave in spoken]
    return {"utterances": len(cosines), "cosine": Spread.of(cosines), "smallest": round(min(cosines), 4)}


@torch.inference_mode()
def _embed(network: SpeechClip, wave: Samples) -> Tensor:
    return _head(network, _frames(network.audio_encoder, wave))


@torch.inference_mode()
def _embed_kept(network: SpeechClip, wave: Samples) -> Tensor:
    """A frame stays as it was made from what had been heard by then, with the levels and means of that."""
    step, kept = round(STEP_S * SAMPLE_RATE), torch.empty(1, 0, network.audio_encoder.config.conv_dim[-1])
    for end in [*range(step, len(wave), step), len(wave)]:
        frames = _frames(network.audio_encoder, wave[:end])
        kept = torch.cat([kept, frames[:, kept.shape[1] :]], 1)
    return _head(network, kept)


@torch.inference_mode()
def _frames(encoder: AudioEncoder, wave: Samples) -> Tensor:
    waves, lengths = torch.from_numpy(wave)[None], torch.tensor([len(wave)])
    if encoder.config.normalize_waveform:
        waves = (waves - waves.mean()) / torch.sqrt(waves.var(correction=0) + 1e-5)
    return encoder._convolve(waves, encoder._conv_counts(lengths))


def _head(network: SpeechClip, frames: Tensor) -> Tensor:
    encoder, count = network.audio_encoder, frames.shape[1]
    hidden = encoder._transform(frames, torch.ones(1, count, dtype=torch.bool))
    return network.embed_whole(Frames(hidden, encoder.mix(hidden), torch.tensor([count])))[0]
