"""How many at one time: queries in the house, and callers in front of a few threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from app.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")


class Admission:
    """Lets so many queries in at one time and refuses the others at the door, so that whatever is let in is answered.

    For one event loop only.
    """

    def __init__(self, most: int) -> None:
        self.most, self._held = most, 0

    @property
    def held(self) -> int:
        """How many are in now."""
        return self._held

    @property
    def crowded(self) -> bool:
        """Whether half of the places or more are taken: what can be done without should wait."""
        return 2 * self._held >= self.most

    @contextmanager
    def hold(self) -> Iterator[None]:
        """One place, for as long as the context lasts; raises `Overloaded` when there is none."""
        if self._held >= self.most:
            raise Overloaded
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1


class BoundedPool:
    """Runs blocking functions off the event loop, and refuses when too many wait already."""

    def __init__(self, name: str, *, threads: int, max_waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads + max_waiting
        self._held = 0
        self._lock = threading.Lock()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result; raises `Overloaded` at once, and forgets a call that was cancelled before it began."""
        with self._lock:
            if self._held >= self._most:
                raise Overloaded
            self._held += 1
        future = self._threads.submit(function, *args, **kwargs)
        future.add_done_callback(self._release)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish what runs, and drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _release(self, _: Future[T]) -> None:
        with self._lock:
            self._held -= 1
