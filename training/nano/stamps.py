"""Animals named by a person (Debian's tuxpaint-stamps-default, GPL): never trained on, only ever judged by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.nano.people import Recording

STAMPS = Path("/usr/share/tuxpaint/stamps")
_ENDING = "_desc.ogg"


def stamps() -> Iterator[Recording]:
    """The English descriptions that are the name of the stamp, in the order of their paths."""
    for path in sorted(STAMPS.rglob(f"*{_ENDING}")):
        yield Recording(path.name.removesuffix(_ENDING), "tuxpaint", path)
