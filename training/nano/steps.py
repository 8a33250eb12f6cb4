"""The frame of every stage: it goes on from its checkpoint, shows a bar, saves and tells its losses now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from rich.progress import Progress
from torch import Tensor, nn

from training.nano.checkpoint import load_stage, save_stage
from training.nano.optimiser import Optimiser

Losses = Mapping[str, Tensor]


class StageRun:
    """One stage, new or from its checkpoint; `first` is the step that comes next."""

    def __init__(self, checkpoint: Path, module: nn.Module, optimiser: Optimiser) -> None:
        self._checkpoint, self._module, self._optimiser = checkpoint, module, optimiser
        self.first = load_stage(checkpoint, module, optimiser)

    def train(
        self, losses: Callable[[int], Losses], save_every: int, after: Callable[[int], None] | None = None
    ) -> None:
        """Take every step that is left on the sum of the losses, which `losses` gives for the number of a step.

        `after` is called with how many steps were taken, after each.
        """
        name, steps = self._checkpoint.stem, self._optimiser.stage.steps
        log = _Log(name, self.first)
        with Progress() as progress:
            bar = progress.add_task(name, total=steps, completed=self.first)
            for number in range(self.first, steps):
                parts = losses(number)
                self._optimiser.step(torch.stack(list(parts.values())).sum(), number)
                log.add(parts)
                done = number + 1
                progress.update(bar, completed=done)
                if done % save_every == 0 or done == steps:
                    save_stage(self._checkpoint, self._module, self._optimiser, done)
                    log.line(done)
                if after is not None:
                    after(done)


class _Log:
    """The mean of each loss since the last line, and the seconds of a step."""

    def __init__(self, name: str, first: int) -> None:
        self._name, self._since, self._started = name, first, time.monotonic()
        self._sums: dict[str, float] = {}

    def add(self, losses: Losses) -> None:
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + loss.item()

    def line(self, step: int) -> None:
        count, now = step - self._since, time.monotonic()
        means = " ".join(f"{name} {total / count:.3f}" for name, total in self._sums.items())
        print(f"{self._name} {step}: {means}, {(now - self._started) / count:.2f} s a step", flush=True)
        self._since, self._started, self._sums = step, now, {}
