"""How far a collection is, as the server last said it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from index.durable.rows import State
from index.errors import CollectionError

FRESH_S = 1.0


class Reading:
    """The state of a collection that others may change, told without waiting: event loops ask for it.

    It is as old as `FRESH_S` where the collection is in use. After a pause the first who asks gets the old one, and has
    a new one read in the background; while the server is away the old one stays.
    """

    def __init__(self, read: Callable[[], State]) -> None:
        """read: asks the server."""
        self._read = read
        self._reading = threading.Lock()
        self._setting = threading.Lock()
        self._tickets, self._newest = itertools.count(1), 0
        self.renew()

    @property
    def latest(self) -> State:
        if self._is_old() and self._reading.acquire(blocking=False):
            threading.Thread(target=self._renew_quietly, name="milvus state", daemon=True).start()
        return self._state

    def renew(self) -> State:
        """Ask the server now."""
        ticket = next(self._tickets)
        state = self._read()
        with self._setting:
            # One that was asked for earlier may be answered later.
            if ticket > self._newest:
                self._newest, self._state, self._at = ticket, state, time.monotonic()
            return self._state

    def renew_if_old(self) -> None:
        if self._is_old():
            self.renew()

    def _is_old(self) -> bool:
        return time.monotonic() - self._at > FRESH_S

    def _renew_quietly(self) -> None:
        try:
            self.renew()
        except CollectionError:
            self._at = time.monotonic()  # whoever reads or writes records is told; here it is tried again later
        finally:
            self._reading.release()
