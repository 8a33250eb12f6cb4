"""The encoder's threads: each takes what waits, encodes it, and answers each query by itself."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from app.engine.encoding import encode
from app.engine.jobs import Encoded, Job, Payload, Task
from app.engine.waiting import Bounds, Waiting
from app.errors import EncodingFailed, Overloaded, ServiceError
from app.metrics import Metrics
from models.errors import DeviceLost, DeviceOutOfMemory
from models.protocol import Encoder

logger = logging.getLogger(__name__)

MOST_FAILURES = 3
"""So many failures in a row are looked into."""
BROKEN = "The model no longer works here; the service has to be started again."


class Engine:
    """Encodes queries of many requests, in so many threads as the encoder has lanes.

    Where batches pay, queries of one kind and about one length go together: while one batch is on the device, another
    is made ready. Elsewhere each query is encoded by itself, so its vector is the same to the last bit, whatever else
    is asked for at the time.

    A query that nobody waits for any more is skipped. When a batch fails, its queries are tried once more, each alone,
    so that one bad query harms nobody else's; when the device has no memory for it, each half is. When several fail in
    a row, `utterance`, which is known to be good, is tried: where that fails too, the encoder or its device is broken
    for good, and the threads end with `on_broken`.
    """

    def __init__(
        self,
        encoder: Encoder,
        metrics: Metrics,
        utterance: NDArray[np.float32],
        on_broken: Callable[[], None],
        bounds: Bounds,
    ) -> None:
        self.encoder = encoder
        self._utterance, self._on_broken, self._metrics = utterance, on_broken, metrics
        self._waiting = Waiting(bounds, metrics)
        self._failures = 0
        self._state = threading.Lock()
        self._closing = self._broken = False
        self._lanes = [threading.Thread(target=self._run, name="encoder", daemon=True) for _ in range(encoder.lanes)]
        for lane in self._lanes:
            lane.start()

    @property
    def broken(self) -> bool:
        """The threads have ended without being asked to, and nothing will be encoded any more."""
        return self._broken

    def say_a_word(self) -> None:
        """Encode the utterance once in every lane at least, and raise what is wrong with that."""
        for answer in [self.submit(Task("speech"), self._utterance) for _ in self._lanes]:
            answer.result()

    def submit(self, task: Task, payload: Payload, within_s: float = math.inf) -> Future[Encoded]:
        """Queue one query: a waveform (time,), an image, a text, or a tuple of texts to be scored as words.

        within_s: how long somebody waits for it. Raises `Overloaded` or `Draining`, or `EncodingFailed` where
        it is broken.
        """
        if self._broken:
            raise EncodingFailed(BROKEN)
        job = Job(task, payload, time.monotonic() + within_s)
        self._waiting.put(job)
        return job.answer

    async def encode(self, task: Task, payload: Payload, within_s: float = math.inf) -> Encoded:
        """Like `submit`, and wait; cancelling the wait cancels the query."""
        return await asyncio.wrap_future(self.submit(task, payload, within_s))

    def close(self, timeout_s: float) -> None:
        """Take nothing new, encode what waits, and stop; after `timeout_s` whatever still waits is given up."""
        self._closing = True
        self._waiting.close()
        until = time.monotonic() + timeout_s
        for lane in self._lanes:
            lane.join(max(0.0, until - time.monotonic()))
        self._waiting.empty(lambda job: job.answer.cancel())

    def _run(self) -> None:
        try:
            while self._works() and (batch := self._waiting.take()):
                started = [job for job in batch if job.answer.set_running_or_notify_cancel()]
                self._metrics.skipped.inc(len(batch) - len(started))
                if started:
                    self._answer(started)
        finally:
            self._end()

    def _works(self) -> bool:
        """Whether the encoder can still encode anything at all, where there is a reason to doubt it."""
        with self._state:
            if self._broken or self._failures < MOST_FAILURES:
                return not self._broken
            try:
                encode(self.encoder, Task("speech"), [self._utterance])
            # As in `_answer`.
            except Exception:
                logger.critical("the encoder is broken: it failed %d times, and on a good utterance", self._failures)
                return False
            self._failures = 0
            return True

    def _end(self) -> None:
        """A lane that ends before the engine is closed takes the others with it."""
        if self._closing:
            return
        with self._state:
            is_first, self._broken = not self._broken, True
        self._waiting.close()
        if is_first:
            self._on_broken()
        self._waiting.empty(_refuse)

    def _answer(self, batch: Sequence[Job], again: bool = False) -> None:
        started_at = time.monotonic()
        self._metrics.batch_size.observe(len(batch))
        try:
            results = encode(self.encoder, batch[0].task, [job.payload for job in batch])
        # An encoder may fail in any way at all, and its thread must outlive that.
        except Exception as error:
            self._failed(batch, error, again)
            return
        self._failures = 0
        encode_s = time.monotonic() - started_at
        self._waiting.note(sum(job.seconds for job in batch), encode_s / len(self._lanes))
        for job, (vector, slots) in zip(batch, results, strict=True):
            job.answer.set_result(Encoded(vector, slots, started_at - job.queued_at, encode_s, len(batch)))

    def _failed(self, batch: Sequence[Job], error: Exception, again: bool) -> None:
        """Try once more with less, or give up."""
        full = isinstance(error, DeviceOutOfMemory)
        if full and not again:
            parts = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
        elif not full and not isinstance(error, DeviceLost) and len(batch) > 1:
            parts = [[job] for job in batch]
        else:
            self._give_up(batch, error)
            return
        logger.warning("the encoder failed on a batch; it is tried in parts", extra={"batch": len(batch), "full": full})
        for part in filter(None, parts):
            self._answer(part, again=True)

    def _give_up(self, batch: Sequence[Job], error: Exception) -> None:
        # A lost device is looked into at once.
        self._failures = MOST_FAILURES if isinstance(error, DeviceLost) else self._failures + 1
        logger.error("the encoder failed", exc_info=error, extra={"queries": len(batch)})
        for job in batch:
            job.answer.set_exception(_told(error))


def _told(error: Exception) -> ServiceError:
    if isinstance(error, DeviceOutOfMemory):
        return Overloaded("The device that runs the model has no memory for this query now; try again in a moment.")
    return EncodingFailed("The model could not encode this query.")


def _refuse(job: Job) -> None:
    if job.answer.set_running_or_notify_cancel():
        job.answer.set_exception(EncodingFailed(BROKEN))
