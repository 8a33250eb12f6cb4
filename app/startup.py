"""Load the model, prepare the collections and say one word to it all, in the background, while the service listens."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from importlib.resources import files
from typing import TypeVar

from app.apart import ApartEncoder
from app.catalogue import Catalogue
from app.chosen import chosen_model
from app.demo import prepare_collections
from app.engine import BROKEN, Engine
from app.engine.waiting import Bounds
from app.errors import INTERNAL, kind_of
from app.keeping.arriving import sweep
from app.query.keywords import Vocabularies
from app.settings import Settings
from app.state import Loaded, State
from index.address import open_store
from index.backend import Store
from index.errors import CollectionError, ServerUnreachable
from models.audio import decode
from models.errors import ModelError
from models.protocol import Encoder

logger = logging.getLogger(__name__)

T = TypeVar("T")

OnStep = Callable[[str, int, int], None]
"""Told (step, done, total) as a start goes on; the last step is `READY`."""

READY = "ready"
UTTERANCE = files("app") / "utterance.flac"
STOP_TIMEOUT_S = 10.0
STORE_RETRY_S = 2.0


class _Stopped(Exception):
    """The service stops before it has started."""


class Startup:
    """One start. Whatever fails is logged and told by `/readyz`; the process stays, so that it can be asked."""

    def __init__(
        self, state: State, encoder: Encoder | None, store: Store | None, on_step: OnStep | None = None
    ) -> None:
        self._state, self._encoder, self._store, self._on_step = state, encoder, store, on_step
        self._apart: ApartEncoder | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="startup", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End it at its next step, or wait for it if it has ended."""
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_S)

    def close(self) -> None:
        """Let go of the encoder, if this has loaded it."""
        if self._apart is not None:
            self._apart.close()

    def _run(self) -> None:
        started_at = time.monotonic()
        try:
            self._load()
        except _Stopped:
            logger.info("stopped before the start was complete")
            self.close()
        # Anything may be wrong with a model or a disk, and nobody else would hear of it from this thread.
        except Exception as error:
            logger.exception("the service could not start")
            self._state.readiness.fail(f"The service could not start: {_reason(error)}")
        else:
            self._state.readiness.ready()
            logger.info("ready", extra={"seconds": round(time.monotonic() - started_at, 1)})

    def _load(self) -> None:
        settings = self._state.settings
        store = self._store or self._patiently(lambda: open_store(settings.store, settings.data))
        sweep(settings.snapshots)
        encoder = self._encoder or self._build(store)
        self._step("opening the collections", 0, 1)
        catalogue = self._patiently(lambda: Catalogue(store))
        engine = Engine(
            encoder,
            self._state.metrics,
            decode(UTTERANCE.read_bytes()).samples,
            lambda: self._state.readiness.fail(BROKEN),
            bounds_of(settings, encoder),
        )
        self._state.partial = Loaded(engine, catalogue, Vocabularies(engine))
        self._step("saying a first word to the model", 0, 1)
        # A real utterance: what is wrong with the model raises here, not for a user.
        engine.say_a_word()
        self._step(READY, 1, 1)

    def _patiently(self, opened: Callable[[], T]) -> T:
        """Waits for a server that does not answer yet: it may be starting too."""
        while True:
            try:
                return opened()
            except ServerUnreachable as error:
                logger.warning("the store of collections is waited for", extra={"reason": str(error)})
            self._step("waiting for the store of collections", 0, 1)
            gc.collect()  # which is off during a start, and every try leaves something
            self._stopping.wait(STORE_RETRY_S)

    def _build(self, store: Store) -> Encoder:
        self._step("loading the model", 0, 1)
        settings, restarts = self._state.settings, self._state.metrics.restarts
        self._apart = ApartEncoder(chosen_model(settings), settings.precision, restarts.inc)
        prepare_collections(store, self._apart, self._step)
        return self._apart

    def _step(self, step: str, done: int, total: int) -> None:
        if self._stopping.is_set():
            raise _Stopped
        self._state.readiness.advance(step, done, total)
        if self._on_step is not None:
            self._on_step(step, done, total)


def bounds_of(settings: Settings, encoder: Encoder) -> Bounds:
    """Of the engine's queue."""
    return Bounds(
        # A group of a batch's items is in the queue beside the queries, never in the place of one.
        waiting=settings.queue_size + settings.batch_size,
        waiting_seconds=settings.queue_seconds,
        batch=settings.batch_size if encoder.batched else 1,
        batch_seconds=settings.batch_seconds,
    )


def _reason(error: Exception) -> str:
    """The message of an error that was written for people; of others only that the log has them."""
    known = isinstance(error, ModelError | CollectionError) or kind_of(error) is not INTERNAL
    return str(error) if known else f"{type(error).__name__}; the log says more"
