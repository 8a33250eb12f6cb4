"""What may be shown on a terminal: names and captions come from files of anybody's making."""

from __future__ import annotations

import re

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def plain(text: object) -> str:
    """The text without anything that a terminal obeys."""
    return CONTROL.sub("�", str(text))
