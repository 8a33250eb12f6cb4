"""The queue: bounded in queries and in seconds, fair to long and short, and nothing for those who have gone."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest

from app.engine.jobs import Job, Task
from app.engine.waiting import YIELDED_S, Bounds, Waiting
from app.errors import DeadlineExceeded, Draining, Overloaded
from app.metrics import Metrics
from models.audio import SAMPLE_RATE
from tests.patience import WAIT_S

SPEECH = Task("speech")


def waiting(queries: int = 8, seconds: float = 100.0, batch: int = 4, batch_seconds: float = 100.0) -> Waiting:
    return Waiting(Bounds(queries, seconds, batch, batch_seconds), Metrics())


def spoken(seconds: float, within_s: float = math.inf, at: float | None = None) -> Job:
    now = time.monotonic() if at is None else at
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    return Job(SPEECH, samples, expires_at=now + within_s, queued_at=now)


def lengths(jobs: list[Job]) -> list[float]:
    return [job.seconds for job in jobs]


def test_short_ones_go_before_a_long_one_but_not_for_ever() -> None:
    queue, now = waiting(batch=1), time.monotonic()
    queue.put(spoken(20, at=now))
    soon, late = now + 10 * YIELDED_S, now + 30 * YIELDED_S
    queue.put(spoken(2, at=soon))
    queue.put(spoken(1, at=late))

    assert [lengths(queue.take()) for _ in range(3)] == [[2], [20], [1]]


def test_a_batch_is_of_about_one_length() -> None:
    queue, now = waiting(), time.monotonic()
    for seconds in (3, 12, 2.5, 11, 3.2):
        queue.put(spoken(seconds, at=now))

    assert sorted(lengths(queue.take())) == [2.5, 3, 3.2]
    assert sorted(lengths(queue.take())) == [11, 12]


def test_a_batch_ends_at_so_many_seconds_and_at_so_many_queries() -> None:
    queue, now = waiting(batch=3, batch_seconds=20), time.monotonic()
    for seconds in (9, 10, 9, 1, 1, 1, 1):
        queue.put(spoken(seconds, at=now))

    taken = [len(queue.take()) for _ in range(4)]
    assert taken == [3, 1, 2, 1]


def test_one_that_is_longer_than_a_batch_may_be_goes_alone() -> None:
    queue = waiting(batch_seconds=5)
    queue.put(spoken(30))

    assert lengths(queue.take()) == [30]


def test_more_seconds_than_may_wait_are_refused() -> None:
    queue = waiting(seconds=50)
    queue.put(spoken(30))
    with pytest.raises(Overloaded):
        queue.put(spoken(25))
    queue.put(spoken(15))


def test_who_is_refused_hears_how_long_the_others_will_take() -> None:
    queue = waiting(queries=2)
    queue.note(seconds=10, took_s=2)
    for _ in range(2):
        queue.put(spoken(15))
    with pytest.raises(Overloaded) as refusal:
        queue.put(spoken(1))

    assert refusal.value.retry_after_s == 6


def test_what_could_only_be_answered_too_late_is_refused_at_once() -> None:
    queue = waiting()
    queue.note(seconds=1, took_s=1)
    queue.put(spoken(20, within_s=1))
    with pytest.raises(Overloaded):
        queue.put(spoken(1, within_s=15))
    queue.put(spoken(1, within_s=25))


def test_one_that_was_held_up_at_the_start_is_soon_made_up_for() -> None:
    queue = waiting(queries=1)
    for took_s in (60.0, *[0.01] * 9):
        queue.note(seconds=1, took_s=took_s)
    queue.put(spoken(1))
    with pytest.raises(Overloaded) as refusal:
        queue.put(spoken(1))

    assert refusal.value.retry_after_s == 7


def test_those_whose_time_is_up_are_told_and_not_encoded() -> None:
    queue = waiting()
    late, in_time = spoken(1, within_s=0.0), spoken(1)
    queue.put(late)
    queue.put(in_time)

    assert queue.take() == [in_time]
    with pytest.raises(DeadlineExceeded):
        late.answer.result(0)


def test_those_who_have_gone_make_room() -> None:
    queue = waiting(queries=1)
    gone = spoken(1)
    queue.put(gone)
    gone.answer.cancel()
    queue.put(kept := spoken(1))

    assert queue.take() == [kept]


def test_closed_it_takes_nothing_and_gives_what_it_has() -> None:
    queue = waiting()
    queue.put(kept := spoken(1))
    queue.close()
    with pytest.raises(Draining):
        queue.put(spoken(1))

    assert queue.take() == [kept]
    assert queue.take() == []


def test_closing_wakes_who_waits() -> None:
    queue = waiting()
    taking = threading.Thread(target=queue.take)
    taking.start()
    queue.close()
    taking.join(WAIT_S)

    assert not taking.is_alive()
