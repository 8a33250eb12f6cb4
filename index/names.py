"""The names that collections may have."""

from __future__ import annotations

import re

from index.errors import InvalidName

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def checked(name: str) -> str:
    """The name itself. Raises `InvalidName`."""
    if not NAME.fullmatch(name):
        raise InvalidName(
            f"{name[:80]!r} is no name for a collection: 1 to 64 of a-z, 0-9, '_' and '-', with a letter or digit first"
        )
    return name
