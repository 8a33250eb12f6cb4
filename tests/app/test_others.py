"""A store that others change is looked at, and nobody waits longer for it than he wants to."""

from __future__ import annotations

import threading
import time

import pytest

from app import others
from app.others import Looking
from index.errors import ServerUnreachable
from tests.patience import WAIT_S


class Store:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked, self.answers = 0, threading.Event()

    def look(self) -> None:
        self.asked += 1
        assert self.answers.wait(WAIT_S)


def test_who_looks_while_another_does_waits_for_the_same_answer() -> None:
    store = Store()
    looking = Looking(store.look)
    started_at = time.monotonic()
    looking.now(0.05)
    looking.now(0.05)

    assert time.monotonic() - started_at < WAIT_S / 2
    assert store.asked == 1
    store.answers.set()
    looking.now(WAIT_S)
    looking.now(WAIT_S)
    assert store.asked >= 2


def test_what_was_seen_a_moment_ago_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    store.answers.set()
    looking = Looking(store.look)
    monkeypatch.setattr(others, "FRESH_S", WAIT_S)
    looking.soon()
    assert store.asked == 0
    monkeypatch.setattr(others, "FRESH_S", -1.0)
    looking.soon()
    looking.now(WAIT_S)
    assert store.asked >= 1


def test_a_store_that_does_not_answer_leaves_all_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    def away() -> None:
        raise ServerUnreachable("it is away")

    looking = Looking(away)
    looking.now(WAIT_S)
    looking.now(WAIT_S)
    assert "it is away" in str([record.__dict__ for record in caplog.records])
