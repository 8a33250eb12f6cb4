"""What the two processes say to each other, as Python's own objects: both are this program, and neither reads a file.

First the encoder's process tells what it is, or why it is not. Then it is given one socket for each of its lanes; over
those come calls, and over the first socket questions for the memory of its device.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from models import errors
from models.config import Branch, Precision
from models.protocol import Encoder

Call = tuple[str, tuple[Any, ...]]
"""A method of `Encoder`, and what it is called with; the answer is what it returned, or the exception it raised."""


@dataclass(frozen=True)
class About:
    """The attributes of an `Encoder`."""

    name: str
    fingerprint: str
    card: str
    dim: int
    image_size: int
    precision: Precision
    branches: Sequence[Branch]
    lanes: int
    batched: bool

    @staticmethod
    def of(encoder: Encoder) -> About:
        return About(**{field.name: getattr(encoder, field.name) for field in fields(About)})


def portable(error: Exception) -> Exception:
    """One that the other process can make again: those that somebody there tells apart, and the words of all others."""
    own = isinstance(error, errors.ModelError) and vars(errors).get(type(error).__name__) is type(error)
    made = type(error)(*map(str, error.args)) if own else RuntimeError(f"{type(error).__name__}: {error}")
    made.add_note("".join(traceback.format_exception(error)))
    return made
