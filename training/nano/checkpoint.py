"""Checkpoints of a stage: weights, optimiser and step, replaced in one move: a kill loses a few minutes at most."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from training.nano.optimiser import Optimiser


def save_stage(path: Path, module: nn.Module, optimiser: Optimiser, step: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"weights": module.state_dict(), "optimiser": optimiser.state_dict(), "step": step}, partial)
    partial.replace(path)


def load_stage(path: Path, module: nn.Module, optimiser: Optimiser | None = None) -> int:
    """Load what `save_stage` wrote, if it is there; returns the step to go on from."""
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    module.load_state_dict(saved["weights"])
    if optimiser is not None:
        optimiser.load_state_dict(saved["optimiser"])
    return int(saved["step"])
