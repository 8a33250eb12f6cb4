"""What a step of the training cannot do without."""

from __future__ import annotations


class NotReady(Exception):
    """Something has to be installed or done first; the message says what."""


class DatasetError(NotReady):
    """A corpus cannot be used as it lies there; the message says which file of it, and what is wrong."""
