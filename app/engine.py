"""The thread that owns the encoder: it takes what waits, encodes it together, and answers each query by itself."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from app.errors import Draining, EncodingFailed, Overloaded
from app.metrics import Metrics
from models.config import Branch
from models.keywords import KeywordSlot

if TYPE_CHECKING:
    # Not at run time: the module brings torch, which the service loads in the background only.
    from models.encoder import Encoder

logger = logging.getLogger(__name__)

MOST_FAILURES = 3
"""So many failures in a row are looked into."""
BROKEN = "The model no longer works here; the service has to be started again."

Kind = Literal["speech", "image", "text", "words"]
Payload = NDArray[np.float32] | Image | str | tuple[str, ...]
Vectors = NDArray[np.float32]
_Result: TypeAlias = tuple[Vectors, Sequence[KeywordSlot]]


@dataclass(frozen=True)
class Task:
    """What is to be done with a query; those that want the same go together.

    branch: of speech, None for the model's search branch; keywords: whether its keyword slots are wanted too.
    """

    kind: Kind
    branch: Branch | None = None
    keywords: bool = False


@dataclass(frozen=True)
class Encoded:
    """One query's vector, the seconds it waited and the encoder took, and how many queries were encoded with it.

    vector: (E,) float32 of unit length; (N, E) for the N texts of one query for "words". slots: where they were asked
    for and the model has them.
    """

    vector: Vectors
    slots: Sequence[KeywordSlot]
    queue_s: float
    encode_s: float
    batch: int


@dataclass(frozen=True)
class _Job:
    task: Task
    payload: Payload
    answer: Future[Encoded] = field(default_factory=Future)
    queued_at: float = field(default_factory=time.monotonic)


class Engine:
    """Encodes queries of many requests in micro-batches of one kind, first come, first served.

    A query whose future was cancelled is skipped. When a batch fails, its queries are tried once more, each alone, so
    that one bad query harms nobody else's. When several fail in a row, `utterance`, which is known to be good, is
    tried: where that fails too, the encoder or its device is broken for good, and the thread ends with `on_broken`.
    """

    def __init__(
        self,
        encoder: Encoder,
        metrics: Metrics,
        utterance: NDArray[np.float32],
        on_broken: Callable[[], None],
        *,
        max_batch: int,
        max_queue: int,
    ) -> None:
        self.encoder = encoder
        self._utterance, self._on_broken = utterance, on_broken
        self._metrics, self._max_batch, self._max_queue = metrics, max_batch, max_queue
        self._failures = 0
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = self._ended = self._broken = False
        self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
        self._thread.start()

    @property
    def broken(self) -> bool:
        """The thread has ended without being asked to, and nothing will be encoded any more."""
        return self._broken

    def say_a_word(self) -> None:
        """Encode the utterance, and raise what is wrong with that."""
        self.submit(Task("speech"), self._utterance).result()

    def submit(self, task: Task, payload: Payload) -> Future[Encoded]:
        """Queue one query: a waveform (time,), an image, a text, or a tuple of texts to be scored as words.

        Raises `Overloaded` or `Draining`.
        """
        with self._changed:
            if self._closing:
                raise Draining
            if self._ended:
                raise EncodingFailed(BROKEN)
            if len(self._jobs) >= self._max_queue:
                self._forget_cancelled()
            if len(self._jobs) >= self._max_queue:
                raise Overloaded
            job = _Job(task, payload)
            self._jobs.append(job)
            self._metrics.queued.set(len(self._jobs))
            self._changed.notify()
        return job.answer

    async def encode(self, task: Task, payload: Payload) -> Encoded:
        """Like `submit`, and wait; cancelling the wait cancels the query."""
        return await asyncio.wrap_future(self.submit(task, payload))

    def close(self, timeout_s: float) -> None:
        """Take nothing new, encode what waits, and stop; after `timeout_s` whatever still waits is given up."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        with self._changed:
            for job in self._jobs:
                job.answer.cancel()

    def _run(self) -> None:
        try:
            while self._works() and (batch := self._next_batch()):
                started = [job for job in batch if job.answer.set_running_or_notify_cancel()]
                self._metrics.skipped.inc(len(batch) - len(started))
                if started:
                    self._answer(started)
        finally:
            self._end()

    def _works(self) -> bool:
        """Whether the encoder can still encode anything at all, where there is a reason to doubt it."""
        if self._failures < MOST_FAILURES:
            return True
        try:
            self._encode(Task("speech"), [self._utterance])
        # As in `_answer`.
        except Exception:
            logger.critical("the encoder is broken: it failed %d times, and on a good utterance", self._failures)
            return False
        self._failures = 0
        return True

    def _end(self) -> None:
        with self._changed:
            self._ended, self._broken = True, not self._closing
            waiting, self._jobs = self._jobs, deque()
        if self._broken:
            self._on_broken()
        for job in waiting:
            if job.answer.set_running_or_notify_cancel():
                job.answer.set_exception(EncodingFailed(BROKEN))

    def _next_batch(self) -> list[_Job]:
        """The oldest query, and those behind it that can go with it; empty when the engine is to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._closing)
            batch: list[_Job] = []
            others: deque[_Job] = deque()
            while self._jobs:
                job = self._jobs.popleft()
                fits = not batch or (job.task == batch[0].task and len(batch) < self._max_batch)
                (batch if fits else others).append(job)
            self._jobs = others
            self._metrics.queued.set(len(self._jobs))
            return batch

    def _answer(self, batch: Sequence[_Job]) -> None:
        started_at = time.monotonic()
        self._metrics.batch_size.observe(len(batch))
        try:
            results = self._encode(batch[0].task, [job.payload for job in batch])
        # An encoder may fail in any way at all, and its thread must outlive that.
        except Exception as error:
            self._failed(batch, error)
            return
        self._failures = 0
        encode_s = time.monotonic() - started_at
        for job, (vector, slots) in zip(batch, results, strict=True):
            job.answer.set_result(Encoded(vector, slots, started_at - job.queued_at, encode_s, len(batch)))

    def _failed(self, batch: Sequence[_Job], error: Exception) -> None:
        if len(batch) == 1:
            self._failures += 1
            logger.error("the encoder failed on one query", exc_info=error)
            batch[0].answer.set_exception(EncodingFailed("The model could not encode this query."))
            return
        logger.warning("the encoder failed on a batch; its queries are tried alone", extra={"batch": len(batch)})
        for job in batch:
            self._answer([job])

    def _encode(self, task: Task, payloads: Sequence[Payload]) -> list[_Result]:
        """Of every payload, checked: what a vector or a slot is not, fails here and not in somebody's answer."""
        results = _embed(self.encoder, task, payloads)
        if len(results) != len(payloads):
            raise EncodingFailed(f"the encoder gave {len(results)} results for {len(payloads)} queries")
        for payload, (vectors, slots) in zip(payloads, results, strict=True):
            if not self._fits(payload, vectors) or not np.isfinite(vectors).all():
                raise EncodingFailed(f"the encoder gave {vectors.shape} for {task.kind}, or values that are no numbers")
            if not all(np.isfinite([slot.start, slot.end, *slot.vector]).all() for slot in slots):
                raise EncodingFailed("the encoder gave a keyword slot with values that are no numbers")
        return results

    def _fits(self, payload: Payload, vectors: Vectors) -> bool:
        if isinstance(payload, tuple):
            return vectors.ndim == 2 and len(vectors) == len(payload)
        return vectors.shape == (self.encoder.dim,)

    def _forget_cancelled(self) -> None:
        waiting = deque(job for job in self._jobs if not job.answer.cancelled())
        self._metrics.skipped.inc(len(self._jobs) - len(waiting))
        self._jobs = waiting


def _embed(encoder: Encoder, task: Task, payloads: Sequence[Payload]) -> list[_Result]:
    if task.kind == "speech":
        waves = [wave for wave in payloads if isinstance(wave, np.ndarray)]
        found = encoder.embed_speech(waves, task.branch, task.keywords)
        slots: Sequence[Sequence[KeywordSlot]] = [()] * len(waves) if found.keywords is None else found.keywords
        return list(zip(found.vectors, slots, strict=True))
    if task.kind == "words":
        return [(_words(encoder, texts), ()) for texts in payloads if isinstance(texts, tuple)]
    if task.kind == "image":
        vectors = encoder.embed_images([image for image in payloads if isinstance(image, Image)])
    else:
        vectors = encoder.embed_texts([text for text in payloads if isinstance(text, str)])
    return [(vector, ()) for vector in vectors]


def _words(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    vectors = encoder.slot_words(texts)
    if vectors is None:
        raise EncodingFailed("the model has no keyword slots to score words with")
    return vectors
