"""The encoder's thread: what waits goes together, nobody gets another's answer, nobody pays for another's fault."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.engine import MOST_FAILURES, Encoded, Engine, Task
from app.engine.waiting import Bounds
from app.errors import DeadlineExceeded, Draining, EncodingFailed, Overloaded
from app.metrics import Metrics
from models.audio import decode
from models.config import Branch
from models.protocol import SpeechEmbeddings
from tests.app.slot_encoder import SlotEncoder, said
from tests.fake_encoder import FakeEncoder, spoken
from tests.patience import WAIT_S

MOST_IN_BATCH, MOST_WAITING = 4, 8
BOUNDS = Bounds(waiting=MOST_WAITING, waiting_seconds=600.0, batch=MOST_IN_BATCH, batch_seconds=240.0)
UTTERANCE = "guitar"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def broke() -> threading.Event:
    """Set when the engine says that it is broken."""
    return threading.Event()


@pytest.fixture
def engine(encoder: FakeEncoder, metrics: Metrics, broke: threading.Event) -> Iterator[Engine]:
    utterance = decode(spoken(UTTERANCE)).samples
    engine = Engine(encoder, metrics, utterance, broke.set, BOUNDS)
    yield engine
    encoder.open.set()
    engine.close(WAIT_S)


def hold(engine: Engine, encoder: FakeEncoder) -> None:
    """Keep the thread busy with one query until `encoder.open` is set."""
    encoder.open.clear()
    engine.submit(Task("text"), "held")
    assert encoder.entered.acquire(timeout=WAIT_S)


def submit_forever(engine: Engine) -> None:
    while True:
        engine.submit(Task("text"), "too late").cancel()


def test_each_query_gets_its_own_vector(engine: Engine, encoder: FakeEncoder) -> None:
    answers = {word: engine.submit(Task("text"), word) for word in ("one", "two", "three")}

    for word, answer in answers.items():
        assert np.array_equal(answer.result(WAIT_S).vector, encoder.vector(word))


def test_what_waits_is_encoded_together_by_kind_oldest_first(engine: Engine, encoder: FakeEncoder) -> None:
    hold(engine, encoder)
    image = Image.new("RGB", (4, 4), (200, 30, 30))
    kept = [engine.submit(Task("text"), "a"), engine.submit(Task("image"), image), engine.submit(Task("text"), "b")]
    encoder.open.set()

    for answer in kept:
        answer.result(WAIT_S)
    assert encoder.batches == [("text", 1), ("text", 2), ("image", 1)]


def test_queries_that_want_different_things_are_kept_apart(engine: Engine, encoder: FakeEncoder) -> None:
    asked: list[tuple[Branch | None, bool, int]] = []
    wave = decode(spoken("dog")).samples

    def embed_speech(
        waves: Sequence[NDArray[np.float32]], branch: Branch | None, return_keywords: bool
    ) -> SpeechEmbeddings:
        asked.append((branch, return_keywords, len(waves)))
        return FakeEncoder.embed_speech(encoder, waves, branch, return_keywords)

    encoder.embed_speech = embed_speech  # type: ignore[method-assign, assignment]
    hold(engine, encoder)
    tasks = [
        Task("speech", "parallel"), Task("speech", "cascaded"), Task("speech", "parallel"),
        Task("speech", "cascaded", keywords=True), Task("speech"), Task("speech", "cascaded"),
    ]  # fmt: skip
    answers = [engine.submit(task, wave) for task in tasks]
    encoder.open.set()

    for answer in answers:
        assert np.array_equal(answer.result(WAIT_S).vector, encoder.vector("dog"))
    assert asked == [("parallel", False, 2), ("cascaded", False, 2), ("cascaded", True, 1), (None, False, 1)]


def test_each_query_gets_its_own_slots() -> None:
    encoder = SlotEncoder()
    engine = Engine(encoder, Metrics(), decode(said("dog")).samples, lambda: None, BOUNDS)
    hold(engine, encoder)
    task = Task("speech", keywords=True)
    answers = {word: engine.submit(task, decode(said(word, "cat")).samples) for word in ("dog", "rocket")}
    encoder.open.set()

    for word, answer in answers.items():
        assert [slot.subwords[0].text for slot in answer.result(WAIT_S).slots] == [f"{word}</w>", "cat</w>"]
    assert encoder.asked[-1] == (None, True, 2)
    engine.close(WAIT_S)


@pytest.mark.parametrize("directions", [None, np.ones(2), np.ones((1, 16)), np.full((2, 16), np.nan)])
def test_directions_of_words_that_are_none_are_a_failure(
    engine: Engine, encoder: FakeEncoder, directions: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "slot_words", lambda texts: directions)
    with pytest.raises(EncodingFailed):
        engine.submit(Task("words"), ("dog", "cat")).result(WAIT_S)


@pytest.mark.parametrize("damage", [{"start": np.nan}, {"end": np.inf}, {"vector": np.full(16, np.nan)}])
def test_a_slot_with_values_that_are_no_numbers_is_a_failure(
    damage: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = SlotEncoder()
    damaged = replace(encoder.slot(0, "dog"), **damage)  # type: ignore[arg-type]
    monkeypatch.setattr(encoder, "slot", lambda place, word: damaged)
    engine = Engine(encoder, Metrics(), decode(said("dog")).samples, lambda: None, BOUNDS)

    with pytest.raises(EncodingFailed):
        engine.submit(Task("speech", keywords=True), decode(said("dog")).samples).result(WAIT_S)
    engine.close(WAIT_S)


def test_a_batch_has_a_largest_size(engine: Engine, encoder: FakeEncoder) -> None:
    hold(engine, encoder)
    answers = [engine.submit(Task("text"), str(number)) for number in range(6)]
    encoder.open.set()

    for answer in answers:
        answer.result(WAIT_S)
    assert encoder.batches == [("text", 1), ("text", MOST_IN_BATCH), ("text", 2)]


def test_the_times_of_a_query_are_told(engine: Engine, encoder: FakeEncoder) -> None:
    hold(engine, encoder)
    began = time.monotonic()
    waiting = engine.submit(Task("text"), "dog")
    threading.Timer(0.05, encoder.open.set).start()

    encoded: Encoded = waiting.result(WAIT_S)
    assert encoded.queue_s >= 0.04
    assert 0 <= encoded.encode_s <= time.monotonic() - began - encoded.queue_s


def test_more_than_may_wait_is_refused_and_nothing_else(engine: Engine, encoder: FakeEncoder) -> None:
    hold(engine, encoder)
    waiting = [engine.submit(Task("text"), str(number)) for number in range(MOST_WAITING)]
    with pytest.raises(Overloaded):
        engine.submit(Task("text"), "one too many")
    encoder.open.set()

    assert all(answer.result(WAIT_S) for answer in waiting)


def test_a_cancelled_query_is_not_encoded(engine: Engine, encoder: FakeEncoder, metrics: Metrics) -> None:
    hold(engine, encoder)
    gone, kept = engine.submit(Task("text"), "gone"), engine.submit(Task("text"), "kept")
    assert gone.cancel()
    encoder.open.set()
    kept.result(WAIT_S)

    assert encoder.seen == ["held", "kept"]
    assert b"speechclip_skipped_total 1.0" in metrics.render()


def test_cancelled_queries_give_their_places_to_others(engine: Engine, encoder: FakeEncoder) -> None:
    hold(engine, encoder)
    for number in range(MOST_WAITING):
        engine.submit(Task("text"), str(number)).cancel()
    kept = engine.submit(Task("text"), "kept")
    encoder.open.set()

    kept.result(WAIT_S)
    assert encoder.seen == ["held", "kept"]


def test_one_bad_query_harms_no_other(engine: Engine, encoder: FakeEncoder) -> None:
    encoder.broken = lambda word: word == "bad"
    hold(engine, encoder)
    good, bad, better = (engine.submit(Task("text"), word) for word in ("good", "bad", "better"))
    encoder.open.set()

    assert np.array_equal(good.result(WAIT_S).vector, encoder.vector("good"))
    assert np.array_equal(better.result(WAIT_S).vector, encoder.vector("better"))
    with pytest.raises(EncodingFailed, match="could not encode") as failure:
        bad.result(WAIT_S)
    assert "secret" not in str(failure.value)
    assert not engine.broken


def test_bad_queries_alone_do_not_break_it(engine: Engine, encoder: FakeEncoder, broke: threading.Event) -> None:
    encoder.broken = lambda word: word == "bad"
    for _ in range(3 * MOST_FAILURES):
        with pytest.raises(EncodingFailed):
            engine.submit(Task("text"), "bad").result(WAIT_S)

    assert np.array_equal(engine.submit(Task("text"), "good").result(WAIT_S).vector, encoder.vector("good"))
    assert UTTERANCE in encoder.seen
    assert not engine.broken
    assert not broke.is_set()


def test_an_encoder_that_fails_on_everything_is_broken_and_says_so(
    engine: Engine, encoder: FakeEncoder, broke: threading.Event
) -> None:
    encoder.broken = lambda word: True
    hold(engine, encoder)
    batch = [engine.submit(Task("text"), str(number)) for number in range(MOST_IN_BATCH)]
    waiting = engine.submit(Task("image"), Image.new("RGB", (4, 4)))
    encoder.open.set()

    for answer in (*batch, waiting):
        with pytest.raises(EncodingFailed):
            answer.result(WAIT_S)
    assert broke.wait(WAIT_S)
    assert engine.broken
    with pytest.raises(EncodingFailed, match="started again"):
        engine.submit(Task("text"), "later")


def test_a_success_in_between_is_no_row_of_failures(
    engine: Engine, encoder: FakeEncoder, broke: threading.Event
) -> None:
    encoder.broken = lambda word: word != "good"
    for word in ["bad", "bad", "good"] * MOST_FAILURES:
        engine.submit(Task("text"), word).exception(WAIT_S)

    assert not broke.is_set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_by_itself_is_broken_too(
    engine: Engine, encoder: FakeEncoder, broke: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(texts: object) -> None:
        raise SystemExit

    monkeypatch.setattr(encoder, "embed_texts", end)
    engine.submit(Task("text"), "the last")

    assert broke.wait(WAIT_S)
    for lane in engine._lanes:
        lane.join(WAIT_S)
    assert engine.broken


@pytest.mark.parametrize("vector", [np.full(16, np.nan), np.ones(3)])
def test_a_vector_that_is_none_is_a_failure(
    engine: Engine, encoder: FakeEncoder, vector: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "vector", lambda word: vector)
    with pytest.raises(EncodingFailed):
        engine.submit(Task("text"), "dog").result(WAIT_S)


def test_closing_answers_what_was_accepted_and_takes_nothing_new(engine: Engine, encoder: FakeEncoder) -> None:
    hold(engine, encoder)
    accepted = engine.submit(Task("text"), "accepted")
    closing = threading.Thread(target=engine.close, args=(WAIT_S,))
    closing.start()
    with pytest.raises(Draining):
        submit_forever(engine)
    encoder.open.set()
    closing.join(WAIT_S)

    assert accepted.result(0).vector.shape == (16,)
    assert not engine.broken


def test_closing_gives_up_in_the_end(engine: Engine, encoder: FakeEncoder) -> None:
    hold(engine, encoder)
    waiting = engine.submit(Task("text"), "never")
    engine.close(timeout_s=0.05)

    assert waiting.cancelled()


def test_a_query_whose_time_is_up_is_not_encoded(engine: Engine, encoder: FakeEncoder, metrics: Metrics) -> None:
    hold(engine, encoder)
    late, kept = engine.submit(Task("text"), "late", within_s=0.01), engine.submit(Task("text"), "kept")
    time.sleep(0.02)
    encoder.open.set()
    kept.result(WAIT_S)

    with pytest.raises(DeadlineExceeded):
        late.result(WAIT_S)
    assert encoder.seen == ["held", "kept"]
    assert b"speechclip_skipped_total 1.0" in metrics.render()


def test_cancelling_the_wait_cancels_the_query(engine: Engine, encoder: FakeEncoder) -> None:
    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await engine.encode(Task("text"), "given up")

    hold(engine, encoder)
    asyncio.run(give_up())
    after = engine.submit(Task("text"), "after")
    encoder.open.set()
    after.result(WAIT_S)

    assert encoder.seen == ["held", "after"]
