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

    Draining, whoever comes is answered still, but is told to go elsewhere the next time. It is final: a start that ends
    after it cannot undo it.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._started: Literal["starting", "ready", "failed"] = "starting"
        self._draining = False
        self.ending = False
        """Nobody comes any more, and what takes long is to come to an end."""
        self._progress = Progress("starting", 0, 1)
        self._failure = ""
        self.steps: dict[str, float] = {}
        """Seconds that each step of the start took, as far as it has come."""
        self._since = time.monotonic()

    @property
    def phase(self) -> Phase:
        return "draining" if self._draining else self._started

    def advance(self, step: str, done: int, total: int) -> None:
        self._note_step()
        self._progress = Progress(step, done, total)

    def fail(self, why: str) -> None:
        """For good; `why` is a sentence for whoever asks."""
        self._failure = why
        self._started = "failed"
        self._tell()

    def ready(self) -> None:
        self._note_step()
        self._started = "ready"
        self._tell()

    def drain(self) -> None:
        self._draining = True
        self._tell()

    def end(self) -> None:
        self.drain()
        self.ending = True

    def require_lasting(self) -> None:
        """Raise `NotReady` or `Draining` unless queries are to be sent here."""
        if self._draining:
            raise Draining
        self.require()

    def require(self) -> None:
        """Raise `NotReady` unless queries are answered."""
        if self._started == "failed":
            raise NotReady(self._failure)
        if self._started == "starting":
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

    def _tell(self) -> None:
        self._metrics.ready.set(self.phase == "ready")
