"""How commands end where something has to be done first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from models.errors import ModelError
from training.errors import NotReady


@contextmanager
def told() -> Iterator[None]:
    """Exceptions that were written for people are a line on stderr, and status 1."""
    try:
        yield
    except (NotReady, ModelError) as error:
        sys.exit(" ".join(str(error).split()))
