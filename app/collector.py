"""Python's collector of garbage, out of the way of starts.

Importing torch and its like makes objects by the hundred thousand, none of them garbage; looking at them again and
again takes a quarter of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is collected meanwhile; what was made lives as long as the process."""
    pause()
    try:
        yield
    finally:
        resume()


def pause() -> None:
    """Collect nothing from now on."""
    gc.disable()


def resume() -> None:
    """Collect again, but only what is made from now on; does nothing where it was not paused."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
