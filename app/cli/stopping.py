"""Ctrl-C that ends the work after the step that it is at; the second one ends it there."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that is set when somebody wants an end. Has no effect outside the main thread, which gets no signals."""
    wanted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield wanted
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if wanted.is_set():
            raise KeyboardInterrupt
        wanted.set()

    before = [signal.signal(number, stop) for number in SIGNALS]
    try:
        yield wanted
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)
