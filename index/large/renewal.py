"""Builds an index again in the background, when so much has changed that it is worth it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from index.errors import CollectionError

logger = logging.getLogger(__name__)

DELAY_S = 5.0
"""Before a build starts: what is opened for a moment only is not built again for that."""
PATIENCE_S = 600.0
"""After a build that failed, before the next."""


class Renewal:
    """One build at a time, in a thread of its own."""

    def __init__(self, name: str, wanted: Callable[[], bool], build: Callable[[], object]) -> None:
        """wanted: whether a build is worth it; after one, changes made meanwhile may make another worth it."""
        self._name = name
        self._wanted = wanted
        self._build = build
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._not_before = 0.0

    def start(self) -> None:
        """Build if it is worth it, unless a build runs, has just failed, or all is to end."""
        with self._lock:
            running = self._thread is not None and self._thread.is_alive()
            ready = not running and not self._stopped.is_set() and time.monotonic() >= self._not_before
            if ready and self._wanted():
                self._thread = threading.Thread(target=self._work, name=f"index of {self._name}", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Start no more. Whoever calls ends the build that runs."""
        with self._lock:
            self._stopped.set()

    def join(self) -> None:
        """Wait for the end of the build that runs."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        try:
            while not self._stopped.wait(DELAY_S) and self._wanted():
                self._build()
        # Whatever it is, it would be again with the next batch; and nobody else hears of it from this thread.
        except Exception as error:
            self._not_before = time.monotonic() + PATIENCE_S
            if not self._stopped.is_set():
                unknown = None if isinstance(error, CollectionError) else error
                told = "collection %s: its index could not be built again: %s"
                logger.warning(told, self._name, error, exc_info=unknown)
