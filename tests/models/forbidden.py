"""A file that may not be read, also where the tests may read everything."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest


def forbid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there and can be looked at, but not be opened."""
    open_it = Path.open

    def open_or_refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return open_it(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_or_refuse)
