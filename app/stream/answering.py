"""What goes back to the speaker: interim answers while there is something new, and the final one."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.websockets import WebSocket

from app.errors import DeadlineExceeded, Draining, Overloaded
from app.http.sockets import send_text
from app.schemas import Timings
from app.state import State
from app.stopwatch import Stopwatch
from app.stream.finding import Finder, Found
from app.stream.inbox import Inbox
from app.stream.messages import Final, Interim, Reason, Span
from app.stream.policy import INTERVAL_S, Heard, is_worth_encoding, pause_s, same
from app.stream.sources import Samples, Source
from app.stream.speech import Speech, find_speech, is_audible, levels_of
from models.audio import SAMPLE_RATE, audible

SECOND_DIGITS = 2


@dataclass(frozen=True)
class _Answer:
    """What a clip of the stream found; stable: whether the one before it had the same first results."""

    clip: Speech
    found: Found
    stable: bool


class Answering:
    """One query at a time, and no answer waits for another: a slow service or a slow reader gets fewer of them."""

    def __init__(self, socket: WebSocket, state: State, finder: Finder, source: Source, inbox: Inbox) -> None:
        self._socket, self._state, self._finder = socket, state, finder
        self._source, self._inbox = source, inbox
        self._untaken = b""
        self._sequence = 0
        self._last: _Answer | None = None

    async def run(self) -> None:
        """Returns when the final answer is sent. Raises what makes that impossible."""
        pause, deadline_s = INTERVAL_S, self._state.settings.deadline_s
        while True:
            await self._inbox.wait(pause)
            watch, reason = Stopwatch(self._state.metrics, self._state.traces), self._inbox.reason
            try:
                async with asyncio.timeout(deadline_s):
                    if reason is not None:
                        await self._finish(reason, watch)
                        return
                    await self._go_on(watch)
            except TimeoutError:
                raise DeadlineExceeded(f"There was no answer within {deadline_s:g} s.") from None
            pause = pause_s(time.perf_counter() - watch.started_at)

    async def _go_on(self, watch: Stopwatch) -> None:
        # Whoever still speaks has to ask another copy of the service; whoever has ended gets the answer.
        if self._state.readiness.ending:
            raise Draining
        with suppress(Overloaded):
            heard, samples = await self._hear(watch)
            self._note_end(heard)
            crowded = self._state.admission.crowded or self._inbox.reason is not None
            if not crowded and is_worth_encoding(heard, self._last.clip if self._last else None):
                with self._state.traces.part("interim", watch.facts):
                    answer = await self._answer(heard, samples, watch)
                    await self._send(Interim(type="interim", **self._said(answer, heard)))

    async def _finish(self, reason: Reason, watch: Stopwatch) -> None:
        heard, samples = await self._hear(watch)
        audible(samples, heard.seconds)
        with self._state.traces.part("final", watch.facts):
            await self._answer_last(reason, heard, samples, watch)

    async def _answer_last(self, reason: Reason, heard: Heard, samples: Samples, watch: Stopwatch) -> None:
        answer = self._last
        if answer is None or not same(heard.clip, answer.clip):
            answer = await self._answer(heard, samples, watch)
        speech = heard.speech or Speech(0.0, heard.seconds)
        span = Span(start=round(speech.start, SECOND_DIGITS), end=round(speech.end, SECOND_DIGITS))
        timings = Timings.model_validate(watch.milliseconds())
        said = self._said(answer, heard)
        await self._send(Final(type="final", **said, speech=span, reason=reason, timings_ms=timings))

    async def _hear(self, watch: Stopwatch) -> tuple[Heard, Samples]:
        """Everything heard so far, with what has come since it was last decoded."""
        self._untaken += self._inbox.take()
        work = partial(_hear, self._source, self._untaken, last=self._inbox.reason is not None)
        found = await watch.run("decode", self._state.decoding, work)
        self._untaken = b""
        return found

    def _note_end(self, heard: Heard) -> None:
        if heard.seconds >= self._state.settings.max_seconds:
            self._inbox.end("limit")
        elif heard.is_over:
            self._inbox.end("end_of_speech")

    async def _answer(self, heard: Heard, samples: Samples, watch: Stopwatch) -> _Answer:
        clip, before = heard.clip, self._last
        spoken = samples[round(clip.start * SAMPLE_RATE) : round(clip.end * SAMPLE_RATE)]
        with self._state.admission.hold():
            found = await self._finder.find(spoken, clip.start, watch)
        stable = before is not None and before.found.first == found.first
        self._last = _Answer(clip, found, stable)
        return self._last

    def _said(self, answer: _Answer, heard: Heard) -> dict[str, Any]:
        """What interim and final answers have in common."""
        self._sequence += 1
        found = answer.found
        return {
            "sequence": self._sequence,
            "seconds": round(heard.seconds, SECOND_DIGITS),
            "searches": dict(found.searches),
            "keywords": found.keywords,
            **({} if found.vector is None else {"vector": found.vector}),
            "stable": answer.stable,
        }

    async def _send(self, message: Interim | Final) -> None:
        await send_text(self._socket, message.text())
        self._state.metrics.stream_answers.labels(message.type).inc()


def _hear(source: Source, data: bytes, *, last: bool) -> tuple[Heard, Samples]:
    samples = source.take(data, last=last)
    levels = levels_of(samples)
    return Heard(len(samples) / SAMPLE_RATE, find_speech(levels), is_audible(levels)), samples
