"""Building again in the background."""

from __future__ import annotations

import logging
import threading

import pytest

from index.errors import BuildFailed
from index.large import renewal
from index.large.renewal import Renewal
from tests.patience import WAIT_S


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "DELAY_S", 0.0)


class Builds:
    """Counts, and wants so many."""

    def __init__(self, wanted: int, error: Exception | None = None) -> None:
        self.threads, self.left, self.error = list[int](), wanted, error

    def wanted(self) -> bool:
        return self.left > 0

    def build(self) -> None:
        self.threads.append(threading.get_ident())
        if self.error is not None:
            raise self.error
        self.left -= 1


@pytest.mark.parametrize("wanted", [0, 1, 3])
def test_it_builds_in_a_thread_of_its_own_until_no_more_is_wanted(wanted: int) -> None:
    builds = Builds(wanted)
    one = Renewal("images", builds.wanted, builds.build)
    one.start()
    one.join()
    assert len(builds.threads) == wanted
    assert threading.get_ident() not in builds.threads
    builds.left = 1
    one.start()
    one.join()
    assert len(builds.threads) == wanted + 1


def test_one_build_at_a_time() -> None:
    calls, go = list[int](), threading.Event()

    def build() -> None:
        calls.append(1)
        go.wait(WAIT_S)

    one = Renewal("images", lambda: not calls, build)
    for _ in range(5):
        one.start()
    go.set()
    one.join()
    assert calls == [1]


@pytest.mark.parametrize(("error", "traced"), [(BuildFailed("no memory"), False), (RuntimeError("no memory"), True)])
def test_a_failure_is_told_and_not_repeated_at_once(
    error: Exception, traced: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    builds = Builds(1, error)
    one = Renewal("images", builds.wanted, builds.build)
    for _ in range(3):
        one.start()
        one.join()
    assert len(builds.threads) == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "collection images: its index could not be built again: no memory" in caplog.text
    assert (caplog.records[0].exc_info is not None) == traced
    monkeypatch.setattr(one, "_not_before", 0.0)
    one.start()
    one.join()
    assert len(builds.threads) == 2


def test_what_is_stopped_does_not_start_and_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "DELAY_S", 1000.0)
    builds = Builds(1)
    one = Renewal("images", builds.wanted, builds.build)
    one.start()
    one.stop()
    one.join()
    one.start()
    one.join()
    assert builds.threads == []


def test_nothing_to_wait_for_is_no_wait() -> None:
    Renewal("images", lambda: True, lambda: None).join()
