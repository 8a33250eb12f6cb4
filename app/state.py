"""Everything heavy that one application holds, made when it starts and closed when it stops."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

from starlette.requests import HTTPConnection

from app.catalogue import Catalogue
from app.engine import Engine
from app.errors import NotReady
from app.metrics import Metrics
from app.pools import Admission, BoundedPool
from app.query.keywords import Vocabularies
from app.readiness import Readiness
from app.settings import Settings
from app.tracing import Traces
from models.decoders import Decoder, DirectDecoder
from models.isolation.decoder import IsolatedDecoder

WRITERS = 4
MOST_UPKEEP = 8
MOST_BATCHES = 8
"""Batches of items being read, embedded or stored at one time; more are refused."""

MOST_ARRIVING = 2
"""Snapshots being sent at one time; more are refused."""


@dataclass(frozen=True)
class Loaded:
    """What exists once the model and the collections are there."""

    engine: Engine
    catalogue: Catalogue
    vocabularies: Vocabularies


class State:
    """The container that hangs on the application."""

    def __init__(self, settings: Settings, metrics: Metrics, traces: Traces) -> None:
        self.settings = settings
        self.metrics, self.traces = metrics, traces
        self.readiness = Readiness(metrics)
        self.admission = Admission(settings.queue_size)
        waiting = settings.queue_size
        self.decoding = BoundedPool("decode", threads=settings.decode_threads, max_waiting=waiting)
        self.decoder = _decoder(settings)
        self.searching = BoundedPool("search", threads=settings.search_threads, max_waiting=waiting)
        # Writers wait for each other, and upkeep takes long: neither is to take a thread from a search.
        self.writing = BoundedPool("write", threads=WRITERS, max_waiting=waiting)
        self.upkeep = BoundedPool("upkeep", threads=1, max_waiting=MOST_UPKEEP)
        self.streams = Admission(settings.max_streams)
        self.batches = Admission(MOST_BATCHES)
        self.arriving = Admission(MOST_ARRIVING)
        self.batch_turn = asyncio.Lock()
        """Held while items of a batch are with the encoder, so that queries never wait for more than one group."""
        self.partial: Loaded | None = None

    @property
    def broken(self) -> bool:
        """Whether the model has stopped to work for good."""
        return self.partial is not None and self.partial.engine.broken

    def loaded(self) -> Loaded:
        """Raises `NotReady`."""
        self.readiness.require()
        if self.partial is None:
            raise NotReady("The service is starting.")
        return self.partial

    def close(self) -> None:
        """Answer what was accepted, then let everything go."""
        self.readiness.end()
        if self.partial is not None:
            self.partial.engine.close(self.settings.deadline_s)
        for pool in (self.decoding, self.searching, self.writing, self.upkeep):
            pool.close()
        self.decoder.close()
        if self.partial is not None:
            self.partial.catalogue.close()


def _decoder(settings: Settings) -> Decoder:
    if settings.decode_isolation:
        return IsolatedDecoder(settings.decode_threads, settings.max_seconds)
    return DirectDecoder(settings.max_seconds)


def state_of(request: HTTPConnection) -> State:
    return cast(State, request.app.state.service)
