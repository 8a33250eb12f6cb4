"""What can be wrong with the keys themselves; refusals of requests are in `app.errors`."""

from __future__ import annotations


class InvalidKeys(Exception):
    """The API keys cannot be read: the service does not start."""
