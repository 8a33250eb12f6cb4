"""How long a query takes, stage by stage, and how much there was to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from app.engine import Encoded
from app.metrics import Metrics, Stage
from app.pools import BoundedPool
from app.tracing import Fact, Traces

T = TypeVar("T")


@dataclass
class Stopwatch:
    """Seconds that one request spent in each stage, told to the metrics and the traces as they pass.

    audio_s: seconds of all its utterances; batch: the most queries that one of its own was encoded with.
    """

    metrics: Metrics
    traces: Traces
    started_at: float = field(default_factory=time.perf_counter)
    seconds: dict[Stage, float] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    audio_s: float = 0.0
    batch: int = 0
    _noted_at: float = field(default_factory=time.perf_counter)

    @property
    def elapsed_s(self) -> float:
        """Since the request began."""
        return time.perf_counter() - self.started_at

    def note(self, stage: Stage, seconds: float, ago_s: float = 0.0) -> None:
        """A stage that ended `ago_s` before now. Several times of one stage add up."""
        self._add(stage, seconds)
        self._noted_at = time.perf_counter()
        self.traces.stage(stage, seconds, ago_s)

    def encoded(self, kind: str, found: Encoded, audio_s: float | None) -> None:
        """One query has its vector; `audio_s` are the seconds of an utterance."""
        self.note("queue", found.queue_s, ago_s=found.encode_s)
        self.note("encode", found.encode_s)
        self.kinds.add(kind)
        self.audio_s += audio_s or 0.0
        self.batch = max(self.batch, found.batch)

    def answered(self) -> None:
        """What was found has become an answer."""
        self.traces.stage("answer", time.perf_counter() - self._noted_at)

    def facts(self) -> dict[str, Fact]:
        """Sizes and kinds, of those that are known."""
        known: dict[str, Fact] = {
            "kind": ",".join(sorted(self.kinds)),
            "audio_s": round(self.audio_s, 3),
            "batch": self.batch,
        }
        return {name: value for name, value in known.items() if value}

    def milliseconds(self) -> dict[str, float]:
        """Of every stage, with 0 for those that were not needed; ends the time in total."""
        self._add("total", self.elapsed_s)
        stages: tuple[Stage, ...] = ("decode", "queue", "encode", "search", "total")
        return {stage: round(1000 * self.seconds.get(stage, 0.0), 2) for stage in stages}

    async def run(self, stage: Stage, pool: BoundedPool, work: Callable[[], T]) -> T:
        """Run blocking work and count its own time, without the wait for a thread."""
        result, seconds = await pool.run(_timed, work)
        self.note(stage, seconds)
        return result

    def _add(self, stage: Stage, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        self.metrics.observe(stage, seconds)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started_at = time.perf_counter()
    return work(), time.perf_counter() - started_at
