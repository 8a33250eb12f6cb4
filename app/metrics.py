"""What Prometheus can ask: how many requests, how long each stage took, what was refused and why."""

from __future__ import annotations

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

Stage = Literal["decode", "queue", "encode", "search", "total"]

STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one application, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.stages = Histogram(
            "speechclip_stage_seconds",
            "Seconds that a query spent in each stage.",
            ["stage"],
            buckets=STAGE_BUCKETS_S,
            registry=self._registry,
        )
        self.requests = Counter(
            "speechclip_requests", "Requests answered.", ["route", "method", "status"], registry=self._registry
        )
        self.refusals = Counter(
            "speechclip_refusals", "Requests refused, by the code of the problem.", ["code"], registry=self._registry
        )
        self.skipped = Counter(
            "speechclip_skipped", "Queries not encoded because nobody waited any more.", registry=self._registry
        )
        self.batch_size = Histogram(
            "speechclip_batch_size", "Queries encoded together.", buckets=BATCH_BUCKETS, registry=self._registry
        )
        self.queued = Gauge("speechclip_queued", "Queries waiting for the encoder.", registry=self._registry)
        self.buffered = Gauge("speechclip_buffered_bytes", "Bytes of all bodies held now.", registry=self._registry)
        self.ready = Gauge("speechclip_ready", "1 when queries are answered.", registry=self._registry)

    def observe(self, stage: Stage, seconds: float) -> None:
        self.stages.labels(stage).observe(seconds)

    def render(self) -> bytes:
        """All values, in Prometheus' text format (CONTENT_TYPE)."""
        return generate_latest(self._registry)
