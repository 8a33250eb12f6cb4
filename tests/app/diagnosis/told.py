"""What findings say, in one text."""

from __future__ import annotations

from collections.abc import Iterable

from app.diagnosis.findings import Finding


def told(findings: Iterable[Finding], level: str) -> str:
    """What was found at a level, in one text."""
    return "; ".join(f"{one.found} -> {one.advice}" for one in findings if one.level == level)
