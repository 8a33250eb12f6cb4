"""The exception of the package."""

from __future__ import annotations


class SourceError(Exception):
    """A source that cannot be used at all, or not in the way that was asked for; the message is for who named it."""
