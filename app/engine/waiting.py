"""What waits for the encoder: so many queries and so much audio at most, in an order that is fair to long and short."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.engine.jobs import Job
from app.errors import DeadlineExceeded, Draining, Overloaded
from app.metrics import Metrics

YIELDED_S = 0.1
"""A second of audio lets queries that come so much later go first; it waits for no others, however many come."""
BUCKET_RATIO = 1.5
"""At most, of the audio of a query to that of the first in its batch: the rest of the shorter one is padding."""
PACE_WEIGHT = 0.1
"""Of the newest measurement in the pace; the first few count alike, or one that was held up would for long."""


@dataclass(frozen=True)
class Bounds:
    """The most that may wait, and the most that is encoded together: in queries, and in seconds of audio."""

    waiting: int
    waiting_seconds: float
    batch: int
    batch_seconds: float


class Waiting:
    """Filled by anybody, emptied by the encoder's threads."""

    def __init__(self, bounds: Bounds, metrics: Metrics) -> None:
        self._bounds, self._metrics = bounds, metrics
        self._jobs: list[Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._pace, self._noted = 0.0, 0

    def put(self, job: Job) -> None:
        """Raises `Overloaded` for more than may wait, or what would be answered too late; `Draining` once closed."""
        with self._changed:
            if self._closed:
                raise Draining
            if not self._has_room(job):
                self._drop_unwanted()
            if not self._has_room(job):
                raise Overloaded(after_s=self._wait_s())
            self._jobs.append(job)
            self._jobs.sort(key=_turn)
            self._tell()
            self._changed.notify()

    def take(self) -> list[Job]:
        """Those whose turn it is, of one task and of about one length; waits for them. Empty once all is done."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                self._drop_unwanted()
                if self._jobs or self._closed:
                    batch = list(self._next())
                    self._jobs = [job for job in self._jobs if job not in batch]
                    self._tell()
                    return batch

    def note(self, seconds: float, took_s: float) -> None:
        """So many seconds of audio left in so long."""
        with self._changed:
            self._noted += 1
            self._pace += max(PACE_WEIGHT, 1 / self._noted) * (took_s / seconds - self._pace)

    def close(self) -> None:
        """Nothing more is put; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def empty(self, tell: Callable[[Job], object]) -> None:
        """Throw out whatever waits, and say so to each."""
        with self._changed:
            jobs, self._jobs = self._jobs, []
            self._tell()
        for job in jobs:
            tell(job)

    def _has_room(self, job: Job) -> bool:
        if not self._jobs:
            return True
        wait_s = self._wait_s()
        fits = self._seconds() + job.seconds <= self._bounds.waiting_seconds
        return len(self._jobs) < self._bounds.waiting and fits and job.queued_at + wait_s < job.expires_at

    def _seconds(self) -> float:
        return sum(job.seconds for job in self._jobs)

    def _wait_s(self) -> float:
        """How long it takes, at the pace of late, until all that waits now is encoded."""
        return self._seconds() * self._pace

    def _next(self) -> Iterator[Job]:
        """The first, and those that can go with it."""
        if not self._jobs:
            return
        first, count, longest = self._jobs[0], 0, 0.0
        for job in self._jobs:
            if job.task != first.task or not _alike(job, first):
                continue
            count, longest = count + 1, max(longest, job.seconds)
            if job is not first and (count > self._bounds.batch or count * longest > self._bounds.batch_seconds):
                return
            yield job

    def _drop_unwanted(self) -> None:
        """Those that nobody waits for any more, or only in vain."""
        now, waiting = time.monotonic(), list[Job]()
        for job in self._jobs:
            if now >= job.expires_at and job.answer.set_running_or_notify_cancel():
                job.answer.set_exception(DeadlineExceeded("The query waited for the model until its time was up."))
            elif not job.answer.done():
                waiting.append(job)
        self._metrics.skipped.inc(len(self._jobs) - len(waiting))
        self._jobs = waiting

    def _tell(self) -> None:
        self._metrics.queued.set(len(self._jobs))
        self._metrics.queued_seconds.set(self._seconds())


def _turn(job: Job) -> float:
    return job.queued_at + YIELDED_S * job.seconds


def _alike(job: Job, first: Job) -> bool:
    """In length; under a second all are."""
    short, long = sorted((max(job.seconds, 1.0), max(first.seconds, 1.0)))
    return long <= BUCKET_RATIO * short
