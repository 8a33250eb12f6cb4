"""Requests and their stages as OpenTelemetry's spans. Endpoint, headers, sampling and the service's name are set by
the standard variables OTEL_...

No attribute has anything of what was sent: routes are templates, and the rest are sizes, kinds and codes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.datastructures import Headers
from starlette.types import Scope

from app.tracing import Fact, Trace
from app.version import DISTRIBUTION, service_version

HAND_OVER_S = 3.0
"""A collector that does not answer holds up the end of the service for so long."""
UNTRACED_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
PREFIX = "speechclip."
NANOSECONDS = 1_000_000_000


def exporter() -> SpanExporter:
    """To a collector, by OTLP over HTTP."""
    return OTLPSpanExporter()


class Spans:
    """Tells an exporter, from a thread of its own; what it cannot take in time is dropped."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        ours = Resource.create({"service.name": DISTRIBUTION, "service.version": service_version()})
        # The environment, OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, goes before it.
        resource = ours.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(DISTRIBUTION, service_version())

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Trace]:
        """Current in this task and those it starts, so that stages find it."""
        told = Trace()
        if scope["path"].removeprefix("/v1") in UNTRACED_PATHS:
            yield told
            return
        parent = propagate.extract(dict(Headers(scope=scope)))
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        span = self._tracer.start_span(method, parent, SpanKind.SERVER, {"http.request.method": method})
        if (here := span.get_span_context()).is_valid:
            told.trace_id = trace.format_trace_id(here.trace_id)
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                yield told
        finally:
            _tell(span, method, told)
            span.end()

    def stage(self, name: str, seconds: float, ago_s: float = 0.0, facts: Mapping[str, Fact] | None = None) -> None:
        """Within the current request; nothing where that is not traced."""
        if not trace.get_current_span().is_recording():
            return
        ended_at = time.time_ns() - round(ago_s * NANOSECONDS)
        span = self._tracer.start_span(
            name, attributes=_named(facts or {}), start_time=ended_at - round(seconds * NANOSECONDS)
        )
        span.end(ended_at)

    @contextmanager
    def part(self, name: str, facts: Callable[[], Mapping[str, Fact]]) -> Iterator[None]:
        """Within the current request; nothing where that is not traced."""
        if not trace.get_current_span().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as span:
            try:
                yield
            finally:
                span.set_attributes(_named(facts()))

    def close(self) -> None:
        # Shut down, an exporter gives up between two of its tries.
        impatience = threading.Timer(HAND_OVER_S, self._exporter.shutdown)
        impatience.start()
        try:
            self._provider.shutdown()
        finally:
            impatience.cancel()


def _tell(span: Span, method: str, told: Trace) -> None:
    span.update_name(f"{method} {told.route}")
    span.set_attributes({"http.route": told.route, "http.response.status_code": told.status, **_named(told.facts)})
    if told.code:
        span.set_attribute("error.type", told.code)
    if told.status >= 500 or not told.status:
        span.set_status(StatusCode.ERROR, told.code)


def _named(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {f"{PREFIX}{name}": value for name, value in facts.items()}
