"""Devices without memory or lost, and processors with several cores."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.engine import MOST_FAILURES, Engine, Task
from app.engine.waiting import Bounds
from app.errors import EncodingFailed, Overloaded
from app.metrics import Metrics
from models.audio import decode
from models.errors import DeviceLost, DeviceOutOfMemory
from tests.fake_encoder import FakeEncoder, spoken
from tests.patience import WAIT_S

BOUNDS = Bounds(waiting=8, waiting_seconds=600.0, batch=4, batch_seconds=240.0)
UTTERANCE = "guitar"


@pytest.fixture
def broke() -> threading.Event:
    """Set when the engine says that it is broken."""
    return threading.Event()


def hold(engine: Engine, encoder: FakeEncoder) -> None:
    """Keep a thread busy with one query until `encoder.open` is set."""
    encoder.open.clear()
    engine.submit(Task("text"), "held")
    assert encoder.entered.acquire(timeout=WAIT_S)


class SmallDevice(FakeEncoder):
    """A device with memory for so many at one time."""

    room = 2

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = super().embed_texts(texts)
        if len(texts) > self.room:
            raise DeviceOutOfMemory("tried to allocate 2 GiB")
        return vectors


@pytest.mark.parametrize(("room", "sizes"), [(2, [1, 4, 2, 2]), (4, [1, 4]), (1, [1, 4, 2, 2])])
def test_a_batch_that_the_device_has_no_memory_for_is_halved_once(room: int, sizes: list[int]) -> None:
    encoder = SmallDevice()
    encoder.room = room
    engine = Engine(encoder, Metrics(), decode(spoken(UTTERANCE)).samples, lambda: None, BOUNDS)
    hold(engine, encoder)
    answers = {str(number): engine.submit(Task("text"), str(number)) for number in range(4)}
    encoder.open.set()
    failures = [answer.exception(WAIT_S) for answer in answers.values()]

    assert [size for _, size in encoder.batches] == sizes
    if room == 1:
        assert all(isinstance(failure, Overloaded) for failure in failures)
    else:
        for word, answer in answers.items():
            assert np.array_equal(answer.result().vector, encoder.vector(word))
    engine.close(WAIT_S)


def test_one_query_that_the_device_has_no_memory_for_is_tried_twice() -> None:
    encoder = SmallDevice()
    encoder.room = 0
    engine = Engine(encoder, Metrics(), decode(spoken(UTTERANCE)).samples, lambda: None, BOUNDS)
    with pytest.raises(Overloaded, match="no memory"):
        engine.submit(Task("text"), "large").result(WAIT_S)

    assert encoder.batches == [("text", 1), ("text", 1)]
    assert not engine.broken
    engine.close(WAIT_S)


def test_a_lost_device_ends_it_at_once(broke: threading.Event) -> None:
    class Lost(FakeEncoder):
        lost = False

        def _embed(self, kind: str, words: Sequence[str]) -> NDArray[np.float32]:
            if self.lost:
                raise DeviceLost("an illegal memory access was encountered")
            return super()._embed(kind, words)

    encoder = Lost()
    engine = Engine(encoder, Metrics(), decode(spoken(UTTERANCE)).samples, broke.set, BOUNDS)
    engine.say_a_word()
    encoder.lost = True
    with pytest.raises(EncodingFailed):
        engine.submit(Task("text"), "the last").result(WAIT_S)

    assert broke.wait(WAIT_S)
    assert engine.broken


class Lanes(FakeEncoder):
    """A processor with two cores."""

    lanes = 2


def test_lanes_encode_side_by_side() -> None:
    encoder = Lanes()
    engine = Engine(encoder, Metrics(), decode(spoken(UTTERANCE)).samples, lambda: None, replace(BOUNDS, batch=1))
    encoder.open.clear()
    answers = [engine.submit(Task("text"), str(number)) for number in range(3)]
    assert encoder.entered.acquire(timeout=WAIT_S)
    assert encoder.entered.acquire(timeout=WAIT_S)
    assert not encoder.entered.acquire(timeout=0.05)
    encoder.open.set()

    assert all(answer.result(WAIT_S) for answer in answers)
    assert [size for _, size in encoder.batches] == [1, 1, 1]
    engine.close(WAIT_S)


def test_a_lane_that_finds_the_encoder_broken_ends_the_others(broke: threading.Event) -> None:
    encoder = Lanes()
    engine = Engine(encoder, Metrics(), decode(spoken(UTTERANCE)).samples, broke.set, BOUNDS)
    encoder.broken = lambda word: True
    for _ in range(MOST_FAILURES):
        with pytest.raises(EncodingFailed):
            engine.submit(Task("text"), "bad").result(WAIT_S)

    assert broke.wait(WAIT_S)
    with pytest.raises(EncodingFailed, match="started again"):
        engine.submit(Task("text"), "later")
    for lane in engine._lanes:
        lane.join(WAIT_S)
        assert not lane.is_alive()
