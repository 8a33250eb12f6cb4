"""What a check found, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """level: `fail` is what keeps the service from starting or from answering; advice: empty where all is well."""

    level: Level
    area: str
    found: str
    advice: str = ""


def ok(area: str, found: str) -> Finding:
    return Finding("ok", area, found)


def warned(area: str, found: str, advice: str) -> Finding:
    return Finding("warn", area, found, advice)


def failed(area: str, found: str, advice: str) -> Finding:
    return Finding("fail", area, found, advice)
