"""A model between two others, one of which goes on from the other (as in WiSE-FT, Wortsman et al., 2022)."""

from __future__ import annotations

from pathlib import Path

import torch

from models.folder import find_model, save_model
from models.published.shelf import read_card
from training.errors import NotReady


def average(one: str, other: str, share: float, out: Path) -> None:
    """Weights of two models, `share` of the other's, to the model folder `out`, with the card of the first.

    Raises `NotReady` for models that are not built alike.
    """
    first, second = find_model(one), find_model(other)
    if (first.config, list(first.vocabulary)) != (second.config, list(second.vocabulary)):
        raise NotReady(f"{one} and {other} are not built alike: one has to go on from the other")
    network, weights = first.load(), second.load().state_dict()
    mixed = {
        name: torch.lerp(tensor, weights[name], share) if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(mixed)
    save_model(network, out, first.vocabulary, read_card(first.path), half=True)
