"""How many at one time: queries in the house, and callers in front of a few threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from app.errors import Overloaded
from app.priority import step_back

P = ParamSpec("P")
T = TypeVar("T")

STAY_WEIGHT = 0.1
"""Of the newest stay in the usual one."""


class Admission:
    """Lets so many in at one time and refuses the others at the door, so that whatever is let in is answered.

    Who is refused is told to come back after as long as others have stayed of late: those who are inside now will
    have left by then.
    """

    def __init__(self, most: int) -> None:
        self.most, self._held, self._stay_s = most, 0, 0.0
        self._changing = threading.Lock()

    @property
    def held(self) -> int:
        """How many are in now."""
        return self._held

    @property
    def crowded(self) -> bool:
        """Whether half of the places or more are taken: what can be done without should wait."""
        return 2 * self._held >= self.most

    def require(self) -> None:
        """Raise `Overloaded` unless there is a place."""
        if self._held >= self.most:
            raise Overloaded(after_s=self._stay_s)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """One place, for as long as the context lasts; raises `Overloaded` when there is none."""
        entered_at = self.enter()
        try:
            yield
        finally:
            self.leave(entered_at)

    def enter(self) -> float:
        """Like the beginning of `hold`; what `leave` wants to know."""
        with self._changing:
            self.require()
            self._held += 1
        return time.monotonic()

    def leave(self, entered_at: float) -> None:
        with self._changing:
            self._held -= 1
            self._stay_s += STAY_WEIGHT * (time.monotonic() - entered_at - self._stay_s)


class BoundedPool:
    """Runs blocking functions off the event loop, and refuses when too many wait already."""

    def __init__(self, name: str, *, threads: int, max_waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=step_back)
        self._admission = Admission(threads + max_waiting)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result; raises `Overloaded` at once, and forgets a call that was cancelled before it began."""
        entered_at = self._admission.enter()
        future: Future[T] = self._threads.submit(function, *args, **kwargs)
        future.add_done_callback(lambda _: self._admission.leave(entered_at))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Finish what runs, and drop what waits."""
        self._threads.shutdown(wait=True, cancel_futures=True)
