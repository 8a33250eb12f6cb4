"""How many cores a process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.cores import cores


@pytest.mark.parametrize(
    ("limit", "expected"), [("max 100000", 8), ("200000 100000", 2), ("250000 100000", 3), ("10 100000", 1), ("x", 8)]
)
def test_a_limit_of_time_is_worth_so_many_cores(
    limit: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr("models.cores.QUOTA", tmp_path / "cpu.max")
    assert cores() == 8
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert cores() == expected
