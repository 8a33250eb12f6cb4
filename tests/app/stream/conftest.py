"""Streams that answer as often as there is something new."""

from __future__ import annotations

import pytest

from app.stream import answering
from tests.app.stream.talk import QUICK_S


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers as often as there is something new."""
    monkeypatch.setattr(answering, "INTERVAL_S", QUICK_S)
    monkeypatch.setattr(answering, "pause_s", lambda took_s: QUICK_S)
