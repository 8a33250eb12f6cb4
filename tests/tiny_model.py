"""A real model, but tiny: some ten thousand random weights, the same for the same seed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import nn

from models.config import AudioConfig, ClipConfig, ModelConfig, ParallelConfig, TextConfig, VisionConfig
from models.folder import save_model
from models.speechclip import SpeechClip

Style = Literal["base", "large"]
STYLES: tuple[Style, ...] = ("base", "large")

VOCABULARY = (0, 320, 612, 613, 271)
CARD = "# tiny\n\nRandom weights, for tests.\n"


def tiny_config(style: Style = "base") -> ModelConfig:
    """HuBERT base's style (group norm, post-LN) or HuBERT large's (layer norm, pre-LN), at a stride of 320 samples."""
    large = style == "large"
    return ModelConfig(
        name="tiny",
        embedding_size=8,
        audio=AudioConfig(
            hidden_size=16,
            layers=2,
            heads=2,
            ffn_size=32,
            conv_dim=(8,) * 7,
            conv_norm="layer" if large else "group",
            pre_norm=large,
            position_kernel=16,
            position_groups=4,
            normalize_waveform=large,
            normalize_hidden_states=large,
        ),
        parallel=ParallelConfig(heads=2, ffn_size=32),
        clip=ClipConfig(
            vision=VisionConfig(image_size=16, patch_size=8, width=16, layers=1, head_width=8),
            text=TextConfig(context_length=12, vocab_size=514 + 100, width=8, heads=2, layers=1),
        ),
    )


def tiny_speechclip(config: ModelConfig | None = None, seed: int = 0) -> SpeechClip:
    """A network in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = SpeechClip(config or tiny_config())
        spread(model)
    return model.eval()


def spread(module: nn.Module) -> None:
    """Weights so large that different inputs come out different: the usual start has them nearly the same."""
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() > 1:
                weight.normal_(std=weight[0].numel() ** -0.5)
            else:
                weight.add_(0.1 * torch.randn_like(weight))


def save_tiny_model(folder: Path, style: Style = "base", seed: int = 0) -> Path:
    """A model folder, which `models.encoder.load_encoder` takes."""
    save_model(tiny_speechclip(tiny_config(style), seed), folder, VOCABULARY, CARD)
    return folder
