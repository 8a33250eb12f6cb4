"""How far the service is: starting, ready, failed or draining."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from app.errors import Draining, NotReady
from app.metrics import Metrics

Phase = Literal["starting", "ready", "failed", "draining"]


@dataclass(frozen=True)
class Progress:
    """One step of the start: `done` of `total` units."""

    step: str
    done: int
    total: int


class Readiness:
    """Set by the thread that starts the service and by the signal that stops it, read by every request.

    Draining is final: a start that ends after it cannot undo it.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._phase: Phase = "starting"
        self._progress = Progress("starting", 0, 1)
        self._failure = ""
        self.steps: dict[str, float] = {}
        """Seconds that each step of the start took, as far as it has come."""
        self._since = time.monotonic()

    @property
    def phase(self) -> Phase:
        return self._phase

    def advance(self, step: str, done: int, total: int) -> None:
        self._note_step()
        self._progress = Progress(step, done, total)

    def fail(self, why: str) -> None:
        """For good; `why` is a sentence for whoever asks."""
        self._failure = why
        self._enter("failed")

    def ready(self) -> None:
        self._note_step()
        self._enter("ready")

    def drain(self) -> None:
        self._enter("draining")

    def require(self) -> None:
        """Raise `NotReady` or `Draining` unless queries are answered."""
        if self._phase == "draining":
            raise Draining
        if self._phase == "failed":
            raise NotReady(self._failure)
        if self._phase == "starting":
            step, done, total = self._progress.step, self._progress.done, self._progress.total
            raise NotReady(
                f"The service is starting: {step} ({done} of {total}).",
                progress={"step": step, "done": done, "total": total},
            )

    def _note_step(self) -> None:
        """The step that was being done until now."""
        step, now = self._progress.step, time.monotonic()
        self.steps[step] = self.steps.get(step, 0.0) + now - self._since
        self._since = now

    def _enter(self, phase: Phase) -> None:
        if self._phase != "draining":
            self._phase = phase
        self._metrics.ready.set(self._phase == "ready")
