"""What Prometheus can ask: how many requests, how long each stage took, what was refused and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from models.protocol import Memory

Stage = Literal["decode", "queue", "encode", "search", "total"]

STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counted(Protocol):
    """What is told of a collection."""

    @property
    def count(self) -> int: ...

    @property
    def version(self) -> int: ...


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
        self.restarts = Counter(
            "speechclip_encoder_restarts",
            "Processes of the encoder that ended, and were followed by another.",
            registry=self._registry,
        )
        self.slow = Counter(
            "speechclip_slow_queries", "Queries slower than SPEECHCLIP_SLOW_QUERY_MS.", registry=self._registry
        )
        self.batch_size = Histogram(
            "speechclip_batch_size", "Queries encoded together.", buckets=BATCH_BUCKETS, registry=self._registry
        )
        self.admitted = Gauge(
            "speechclip_admitted", "Queries being decoded or encoded, or waiting for it.", registry=self._registry
        )
        self.admitted_most = Gauge(
            "speechclip_admitted_most",
            "How many of them there may be before more are refused.",
            registry=self._registry,
        )
        self.memory = Gauge(
            "speechclip_device_memory_bytes",
            "Memory of the device that the model is on: taken, by whomever, and all there is.",
            ["device", "state"],
            registry=self._registry,
        )
        self.running = Gauge(
            "speechclip_running",
            "1, with what runs: the version, and the model.",
            ["version", "model", "revision"],
            registry=self._registry,
        )
        self.queued = Gauge("speechclip_queued", "Queries waiting for the encoder.", registry=self._registry)
        self.queued_seconds = Gauge(
            "speechclip_queued_audio_seconds", "Seconds of audio waiting for the encoder.", registry=self._registry
        )
        self.buffered = Gauge("speechclip_buffered_bytes", "Bytes of all bodies held now.", registry=self._registry)
        self.streams = Gauge("speechclip_streams", "Live searches that are open now.", registry=self._registry)
        self.stream_answers = Counter(
            "speechclip_stream_answers",
            "Answers of live searches: interim and final.",
            ["kind"],
            registry=self._registry,
        )
        self.records = Gauge(
            "speechclip_collection_records", "Records of a collection.", ["collection"], registry=self._registry
        )
        self.versions = Gauge(
            "speechclip_collection_version",
            "How many batches have changed a collection.",
            ["collection"],
            registry=self._registry,
        )
        self.unavailable = Gauge(
            "speechclip_collections_unavailable", "Collections that cannot be used.", registry=self._registry
        )
        self.ready = Gauge("speechclip_ready", "1 when queries are answered.", registry=self._registry)

    def observe(self, stage: Stage, seconds: float) -> None:
        self.stages.labels(stage).observe(seconds)

    def describe(self, collections: Mapping[str, Counted], unavailable: int) -> None:
        """Set what is known of the collections, by name; one that is gone is forgotten."""
        self.records.clear()
        self.versions.clear()
        for name, collection in collections.items():
            self.records.labels(name).set(collection.count)
            self.versions.labels(name).set(collection.version)
        self.unavailable.set(unavailable)

    def measure(self, device: str, memory: Memory) -> None:
        """Set what is known of the memory that the model is in; a device that it is in no longer is forgotten."""
        self.memory.clear()
        self.memory.labels(device, "used").set(memory.used)
        self.memory.labels(device, "total").set(memory.total)

    def render(self) -> bytes:
        """All values, in Prometheus' text format (CONTENT_TYPE)."""
        return generate_latest(self._registry)
