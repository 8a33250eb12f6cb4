"""Names of files, as lists of anybody's making have them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from training.errors import DatasetError

# What steers a terminal, and what no encoding has: bytes of a file's name that are not UTF-8 come as such.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(name: object) -> str:
    """The name, with escapes for what cannot be printed; different names stay different for all practical purposes."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), str(name))


def inside(name: str, where: str) -> str:
    """The name in its shortest form, if it is a path that stays below the folder it is relative to.

    Links within the corpus are followed, as whoever made them wants. `where` tells who names it. Raises `DatasetError`.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise DatasetError(f"{where} names {printable(name)!r}, which is no path below the corpus")
    return path.as_posix()
