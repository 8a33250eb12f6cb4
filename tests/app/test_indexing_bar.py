"""What somebody sees who watches `speechclip index`."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from rich.console import Console

from app.bulk.items import Bad
from app.bulk.tally import Tally
from app.cli import indexing_bar as module
from app.cli.indexing_bar import indexing_bar
from tests.patience import WAIT_S


class Screen(io.StringIO):
    """Tells when a text has appeared."""

    def __init__(self, expected: str) -> None:
        super().__init__()
        self._expected, self.appeared = expected, threading.Event()

    def write(self, text: str, /) -> int:
        if self._expected in text:
            self.appeared.set()
        return super().write(text)


@pytest.fixture
def tally(tmp_path: Path) -> Tally:
    tally = Tally(tmp_path / "report.jsonl")
    tally.add(1200, 60.0)
    tally.know(10.0)
    tally.fail(Bad("a", "why", 5.0))
    return tally


@pytest.mark.parametrize("expected", ["1,200 added, 1 there already, 1 failed", "75%"])
def test_counts_and_progress_by_weight(tally: Tally, monkeypatch: pytest.MonkeyPatch, expected: str) -> None:
    screen = Screen(expected)
    monkeypatch.setattr(module, "stderr", lambda: Console(file=screen, force_terminal=True, width=200))

    with tally, indexing_bar("pets", tally, lambda: 100):
        assert screen.appeared.wait(WAIT_S)
    assert "indexing pets" in screen.getvalue()


def test_a_source_whose_size_is_not_known_has_a_bar_too(tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    def size() -> int:
        raise OSError("gone")

    screen = Screen("1,200 added")
    monkeypatch.setattr(module, "stderr", lambda: Console(file=screen, force_terminal=True, width=200))
    with tally, indexing_bar("pets", tally, size):
        assert screen.appeared.wait(WAIT_S)


def test_nobody_watches_a_file(tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(module, "stderr", lambda: Console(file=screen))

    with tally, indexing_bar("pets", tally, lambda: 100):
        pass
    assert screen.getvalue() == ""
