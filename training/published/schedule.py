"""The learning rate over the steps (spec section 7)."""

from __future__ import annotations

from training.published.recipe import Optimiser


def factor(step: int, optimiser: Optimiser) -> float:
    """Of `optimiser.rate`, in a step counted from 0."""
    number, last = step + 1, optimiser.final_rate / optimiser.rate
    if number <= optimiser.warmup:
        return number / optimiser.warmup
    fallen = min(1.0, (number - optimiser.warmup) / (optimiser.steps - optimiser.warmup))
    return 1.0 - (1.0 - last) * fallen
