"""What other processes do to the collections of a store, looked at now and then."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from index.errors import CollectionError

logger = logging.getLogger(__name__)

FRESH_S = 1.0


class Looking:
    """Looks in a thread of its own, one at a time, so that nobody waits longer for a store than he wants to."""

    def __init__(self, look: Callable[[], None]) -> None:
        """look: asks the store; may raise `CollectionError`."""
        self._look = look
        self._changing = threading.Lock()
        self._done: threading.Event | None = None
        self._at = time.monotonic()

    def soon(self) -> None:
        """Look, unless somebody has looked a moment ago."""
        if time.monotonic() - self._at > FRESH_S:
            self._begin()

    def now(self, patience_s: float) -> None:
        """Look, and wait so long for it."""
        self._begin().wait(patience_s)

    def _begin(self) -> threading.Event:
        with self._changing:
            if self._done is None:
                done = self._done = threading.Event()
                threading.Thread(target=self._run, args=(done,), name="collections of others", daemon=True).start()
            return self._done

    def _run(self, done: threading.Event) -> None:
        try:
            self._look()
        except CollectionError as error:
            logger.warning("what others have changed cannot be seen", extra={"reason": str(error)})
        finally:
            with self._changing:
                self._done, self._at = None, time.monotonic()
            done.set()
