"""An end to patience with a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Patience:
    """A timer that is started and stopped again and again; what happens when it runs out happens once."""

    def __init__(self, seconds: float, run_out: Callable[[], None]) -> None:
        self._seconds, self._run_out = seconds, run_out
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._run_out)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
