"""Traces: where one request spent its time, told to whoever collects such things. Off, they are these few lines.

`spans.py` tells them by OpenTelemetry and is imported only where they are on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import Scope

from app.settings import Settings

Fact = str | int | float


@dataclass
class Trace:
    """One request. trace_id: 32 hex digits, None where nothing is traced; the rest is filled in as it becomes known."""

    trace_id: str | None = None
    route: str = "unmatched"
    status: int = 0
    code: str | None = None
    facts: dict[str, Fact] = field(default_factory=dict)


class Traces(Protocol):
    """What is told: requests, and the stages within the one that the caller works for."""

    def request(self, scope: Scope) -> AbstractContextManager[Trace]:
        """One request, from its `traceparent` on, if it has one."""
        ...

    def stage(self, name: str, seconds: float, ago_s: float = 0.0, facts: Mapping[str, Fact] | None = None) -> None:
        """Something that took so many seconds and ended `ago_s` before now."""
        ...

    def part(self, name: str, facts: Callable[[], Mapping[str, Fact]]) -> AbstractContextManager[None]:
        """A part of a long request, with stages of its own; `facts` is asked at its end."""
        ...

    def close(self) -> None:
        """Hand over what is not handed over yet. Blocks for some seconds at most."""
        ...


class Untraced:
    """Tells nothing."""

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Trace]:
        yield Trace()

    def stage(self, name: str, seconds: float, ago_s: float = 0.0, facts: Mapping[str, Fact] | None = None) -> None:
        pass

    @contextmanager
    def part(self, name: str, facts: Callable[[], Mapping[str, Fact]]) -> Iterator[None]:
        yield

    def close(self) -> None:
        pass


def make_traces(settings: Settings) -> Traces:
    """What the settings ask for."""
    if not settings.traces:
        return Untraced()
    from app.tracing.spans import Spans, exporter

    return Spans(exporter())
