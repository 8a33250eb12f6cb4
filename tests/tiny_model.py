"""A real model, but tiny: some ten thousand random weights, the same for the same seed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import nn

from models.config import (
    AudioConfig,
    CascadedConfig,
    CifConfig,
    ClipConfig,
    Kind,
    ModelConfig,
    ParallelConfig,
    TextConfig,
    VisionConfig,
)
from models.folder import save_model
from models.speechclip import SpeechClip

Style = Literal["base", "large"]
STYLES: tuple[Style, ...] = ("base", "large")
BranchName = Kind
BRANCHES: tuple[BranchName, ...] = ("parallel", "cascaded", "hybrid", "cascaded+", "hybrid+")

VOCABULARY = (0, 320, 612, 613, 271, *range(512, 530))
"""As in the published models: the padding first, start and end at 2 and 3."""
CARD = "# tiny\n\nRandom weights, for tests.\n"


def tiny_config(style: Style = "base", branch: BranchName = "parallel") -> ModelConfig:
    """HuBERT base's style (group norm, post-LN) or HuBERT large's (layer norm, pre-LN), at a stride of 320 samples.

    The networks of a large cascaded model have two layers, and the attention of a large hybrid is a transformer's.
    """
    large = style == "large"
    return ModelConfig(
        name="tiny",
        branch=branch,
        search_branch="cascaded" if branch.startswith("cascaded") else "parallel",
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
        cascaded=None if branch == "parallel" else tiny_cascaded(style, branch),
        clip=ClipConfig(
            vision=VisionConfig(image_size=16, patch_size=8, width=16, layers=1, head_width=8),
            text=TextConfig(context_length=12, vocab_size=514 + 100, width=8, heads=2, layers=1),
        ),
    )


def tiny_cascaded(style: Style, branch: BranchName) -> CascadedConfig:
    large, plus = style == "large", branch.endswith("+")
    return CascadedConfig(
        vocabulary_size=len(VOCABULARY),
        head="transformer" if large and branch == "hybrid" else "attention",
        heads=2 if plus else 1,
        ffn_size=32,
        keywords=4,
        keyword_projection=(12,) if large else (),
        parallel_projection=(12,) if large else (),
        batch_norm="shared" if plus else "each",
        cif=CifConfig(conv_layers=2 if large else 1, conv_width=5 if large else 3) if plus else None,
    )


def tiny_speechclip(config: ModelConfig | None = None, seed: int = 0) -> SpeechClip:
    """A network in evaluation mode."""
    config = config or tiny_config()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = SpeechClip(config, VOCABULARY if config.cascaded else ())
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
        for part in module.modules():
            if isinstance(part, nn.BatchNorm1d) and part.running_mean is not None and part.running_var is not None:
                part.running_mean.normal_(std=0.1)
                part.running_var.uniform_(0.5, 1.5)


def save_tiny_model(folder: Path, style: Style = "base", seed: int = 0, branch: BranchName = "parallel") -> Path:
    """A model folder, which `models.encoder.load_encoder` takes."""
    save_model(tiny_speechclip(tiny_config(style, branch), seed), folder, VOCABULARY, CARD)
    return folder
