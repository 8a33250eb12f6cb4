"""From keyword slots to words: merged over slots, each with its score and its place in time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.engine import Engine
from app.engine.waiting import Bounds
from app.errors import EncodingFailed
from app.metrics import Metrics
from app.pools import BoundedPool
from app.query import keywords
from app.query.keywords import MOST_SLOTS, MOST_WORDS_OF_A_SLOT, Vocabularies, Vocabulary, spoken_keywords, texts_of
from index.collection import Collection
from index.records import Record
from index.store import Store
from models.audio import decode
from models.branches.keywords import KeywordSlot, Subword
from tests.app.slot_encoder import SlotEncoder
from tests.fake_encoder import spoken
from tests.patience import wait_until
from tests.processor import within

DIM = 16


def slot(number: int, *numbers: float) -> KeywordSlot:
    """A slot that lasts half a second, with a vector along the first axes."""
    vector = np.zeros(4, np.float32)
    vector[: len(numbers)] = numbers
    attention = np.ones(1, np.float32)
    pieces = [Subword(7, "gira", 0.91234567)]
    return KeywordSlot(number, number / 2, (number + 1) / 2, pieces, vector, attention, 0.02)


def vocabulary(**words: tuple[float, ...]) -> Vocabulary:
    directions = np.zeros((len(words), 4), np.float32)
    for row, numbers in zip(directions, words.values(), strict=True):
        row[: len(numbers)] = numbers
    return Vocabulary.of(list(words), directions, directions)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def collection_of(store: Store, texts: Sequence[str | None], name: str = "keywords") -> Collection:
    """With ids in the order of the texts; where there is no text, the id is one. Vectors are different."""
    vectors = np.eye(DIM, dtype=np.float32)[np.arange(len(texts)) % DIM]
    collection = store.create(name, "keywords", DIM, "f" * 64)
    collection.add([Record(f"id {row:05}", None, text) for row, text in enumerate(texts)], vectors)
    return collection


def test_every_word_stands_where_its_best_slot_was_said() -> None:
    slots = [slot(0, 1.0), slot(1, 0.0, 1.0)]
    spoken = spoken_keywords(slots, vocabulary(dog=(0.6, 0.8), cat=(0.9, 0.1), sky=(0.0, 0.0, 1.0)), top_k=10)

    assert [one.model_dump() for one in spoken.words] == [
        {"word": "cat", "score": 0.9, "slot": 0, "start": 0.0, "end": 0.5},
        {"word": "dog", "score": 0.8, "slot": 1, "start": 0.5, "end": 1.0},
        {"word": "sky", "score": 0.0, "slot": 0, "start": 0.0, "end": 0.5},
    ]


def test_every_slot_tells_its_own_words_and_pieces() -> None:
    slots = [slot(0, 1.0), slot(1, 0.0, 1.0)]
    spoken = spoken_keywords(slots, vocabulary(dog=(0.6, 0.8), cat=(0.9, 0.1)), top_k=1)

    assert [[word.word for word in one.words] for one in spoken.slots] == [["cat"], ["dog"]]
    assert [(one.slot, one.start, one.end) for one in spoken.slots] == [(0, 0.0, 0.5), (1, 0.5, 1.0)]
    assert spoken.slots[0].subwords[0].model_dump() == {"text": "gira", "score": 0.912346}


def test_the_window_is_over_words_and_a_slot_tells_few() -> None:
    words = vocabulary(**{f"w{number:03}": (1 - number / 100,) for number in range(50)})
    everything = spoken_keywords([slot(0, 1.0)], words, top_k=50)
    window = spoken_keywords([slot(0, 1.0)], words, top_k=3, offset=2)
    near = spoken_keywords([slot(0, 1.0)], words, top_k=50, min_score=0.975)

    assert [one.word for one in everything.words] == sorted(words.texts)
    assert window.words == everything.words[2:5]
    assert [one.word for one in window.slots[0].words] == ["w000", "w001", "w002"]
    assert len(everything.slots[0].words) == MOST_WORDS_OF_A_SLOT
    assert [one.word for one in near.words] == ["w000", "w001", "w002"]
    assert len(near.slots[0].words) == 3
    assert spoken_keywords([slot(0, 1.0)], words, top_k=10, offset=1000).words == []


def test_equal_scores_keep_the_order_of_the_vocabulary() -> None:
    words = vocabulary(**{f"w{number}": (1.0,) for number in range(9)})

    assert [one.word for one in spoken_keywords([slot(0, 1.0)], words, top_k=4).words] == ["w0", "w1", "w2", "w3"]


def test_scores_never_leave_the_range_of_cosines() -> None:
    assert spoken_keywords([slot(0, 1.0000001)], vocabulary(dog=(1.0,)), top_k=1).words[0].score == 1


@pytest.mark.parametrize("slots", [[], [slot(0, 1.0)]])
def test_without_slots_or_without_a_vocabulary_there_are_no_words(slots: list[KeywordSlot]) -> None:
    spoken = spoken_keywords(slots, vocabulary(), top_k=5)

    assert spoken.words == []
    assert [one.words for one in spoken.slots] == [[]] * len(slots)


def test_there_are_no_more_slots_than_are_promised() -> None:
    slots = [slot(number, 1.0) for number in range(MOST_SLOTS + 5)]

    assert len(spoken_keywords(slots, vocabulary(dog=(1.0,)), top_k=1).slots) == MOST_SLOTS


def test_a_text_without_a_direction_is_no_word() -> None:
    words = vocabulary(nothing=(), dog=(0.6, 0.8))

    assert words.texts == ["dog"]
    assert words.vector("dog") == pytest.approx([0.6, 0.8, 0, 0])
    assert words.vector("nothing") is None


def test_the_texts_are_captions_or_else_ids_once_each(store: Store) -> None:
    with collection_of(store, ["Dog", "dog", "two  hump camel", None, "two hump Camel", " "]) as collection:
        texts, vectors = texts_of(collection)

        assert texts == ["Dog", "two  hump camel", "id 00003"]
        np.testing.assert_array_equal(vectors, [collection.vector(id) for id in ("id 00000", "id 00002", "id 00003")])


def test_texts_come_in_the_order_of_their_ids_whatever_the_order_of_what_is_fetched(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collection_of(store, ["Dog", "dog", "cat"]) as collection:
        fetch = collection.fetch
        monkeypatch.setattr(collection, "fetch", lambda ids: dict(reversed(fetch(ids).items())))
        texts, vectors = texts_of(collection)

        assert texts == ["Dog", "cat"]
        np.testing.assert_array_equal(vectors, [collection.vector("id 00000"), collection.vector("id 00002")])


def test_a_large_vocabulary_is_cut(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keywords, "MOST_TEXTS", 5)
    monkeypatch.setattr(keywords, "_PAGE", 3)
    with collection_of(store, [f"w{number}" for number in range(9)]) as collection:
        texts, vectors = texts_of(collection)

        assert texts == ["w0", "w1", "w2", "w3", "w4"]
        assert vectors.shape == (5, DIM)


def test_many_slots_and_a_large_vocabulary_take_no_time() -> None:
    random = np.random.default_rng(0)
    directions = random.standard_normal((5000, 512)).astype(np.float32)
    words = Vocabulary.of([f"w{number}" for number in range(5000)], directions, directions)
    slots = [
        KeywordSlot(number, 0.0, 1.0, [], _unit(random.standard_normal(512)), np.ones(1, np.float32), 0.02)
        for number in range(MOST_SLOTS)
    ]
    spoken = within(2, lambda: spoken_keywords(slots, words, top_k=1000))

    assert len(spoken.words) == 1000


@pytest.fixture
def encoder() -> SlotEncoder:
    return SlotEncoder(DIM)


@pytest.fixture
def engine(encoder: SlotEncoder) -> Iterator[Engine]:
    utterance = decode(spoken("dog")).samples
    engine = Engine(encoder, Metrics(), utterance, lambda: None, Bounds(8, 600.0, 4, 240.0))
    yield engine
    encoder.open.set()
    engine.close(10)


@pytest.fixture
def pool() -> Iterator[BoundedPool]:
    pool = BoundedPool("search", threads=1, max_waiting=8)
    yield pool
    pool.close()


def test_a_vocabulary_is_made_once_for_each_version(
    store: Store, engine: Engine, encoder: SlotEncoder, pool: BoundedPool
) -> None:
    async def ask() -> None:
        vocabularies = Vocabularies(engine)
        first, second = await asyncio.gather(vocabularies.of(collection, pool), vocabularies.of(collection, pool))
        assert first is second
        assert first.texts == ["dog", "cat"]
        assert np.allclose(first.directions, [encoder.vector("dog"), encoder.vector("cat")])
        collection.delete(["id 00000"])
        assert (await vocabularies.of(collection, pool)).texts == ["cat"]

    with collection_of(store, ["dog", "cat"]) as collection:
        asyncio.run(ask())
    assert encoder.word_batches == [2]


def test_only_what_is_new_is_read(store: Store, engine: Engine, encoder: SlotEncoder, pool: BoundedPool) -> None:
    async def ask() -> None:
        vocabularies = Vocabularies(engine)
        await vocabularies.of(collection, pool)
        collection.add([Record("another", caption="apple")], encoder.vector("apple")[None])
        found = await vocabularies.of(collection, pool)
        assert found.texts == ["apple", "dog", "cat"]
        assert np.allclose(found.directions, [encoder.vector(text) for text in found.texts])

    with collection_of(store, ["dog", "cat"]) as collection:
        asyncio.run(ask())
    assert encoder.word_batches == [2, 1]


def test_one_is_made_at_a_time_however_often_the_collection_changes(
    store: Store, engine: Engine, encoder: SlotEncoder, pool: BoundedPool
) -> None:
    """Those who came later have what was there when they came."""

    async def ask() -> None:
        vocabularies = Vocabularies(engine)
        asked = [asyncio.create_task(vocabularies.of(collection, pool))]
        await asyncio.to_thread(wait_until, lambda: encoder.word_batches)
        for number in range(20):
            await asyncio.sleep(0.01)
            collection.add([Record(f"new {number}", caption=f"word {number}")], encoder.vector("dog")[None])
            asked.append(asyncio.create_task(vocabularies.of(collection, pool)))
        await asyncio.sleep(0.01)
        encoder.open.set()
        assert [f"word {number}" in (await asked[number + 1]).texts for number in range(20)] == [True] * 20
        assert (await asked[0]).texts == ["dog"]

    encoder.open.clear()
    with collection_of(store, ["dog"]) as collection:
        asyncio.run(ask())
    assert encoder.word_batches == [1, 20]


def test_who_waits_behind_one_that_fails_has_their_own(
    store: Store, engine: Engine, encoder: SlotEncoder, pool: BoundedPool
) -> None:
    async def ask() -> None:
        vocabularies = Vocabularies(engine)
        first = asyncio.create_task(vocabularies.of(gone, pool))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(vocabularies.of(collection, pool))
        await asyncio.sleep(0.05)
        assert vocabularies._making is not None
        vocabularies._making.cancel()
        encoder.open.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await second).texts == ["dog"]

    encoder.open.clear()
    with collection_of(store, ["dog"]) as collection, store.create("gone", "keywords", DIM, "f" * 64) as gone:
        gone.add([Record("cat", caption="cat")], encoder.vector("cat")[None])
        asyncio.run(ask())


def test_a_vocabulary_is_made_in_parts(
    store: Store, engine: Engine, encoder: SlotEncoder, pool: BoundedPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keywords, "_AT_ONCE", 2)
    with collection_of(store, ["dog", "cat", "apple"]) as collection:
        made = asyncio.run(Vocabularies(engine).of(collection, pool))

    assert (made.texts, made.directions.shape) == (["dog", "cat", "apple"], (3, DIM))
    assert encoder.word_batches == [2, 1]


def test_an_empty_vocabulary(store: Store, engine: Engine, pool: BoundedPool) -> None:
    with collection_of(store, ["dog"]) as collection:
        collection.delete(["id 00000"])
        assert asyncio.run(Vocabularies(engine).of(collection, pool)).texts == []


def test_who_leaves_early_leaves_the_work_to_the_next(
    store: Store, engine: Engine, encoder: SlotEncoder, pool: BoundedPool
) -> None:
    async def ask() -> None:
        vocabularies = Vocabularies(engine)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await vocabularies.of(collection, pool)
        encoder.open.set()
        assert (await vocabularies.of(collection, pool)).texts == ["dog"]

    encoder.open.clear()
    with collection_of(store, ["dog"]) as collection:
        asyncio.run(ask())
    assert encoder.word_batches == [1]


def test_a_failure_is_not_kept(
    store: Store, engine: Engine, encoder: SlotEncoder, pool: BoundedPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        vocabularies = Vocabularies(engine)
        with monkeypatch.context() as broken:
            broken.setattr(encoder, "slot_words", lambda texts: None)
            with pytest.raises(EncodingFailed):
                await vocabularies.of(collection, pool)
        assert (await vocabularies.of(collection, pool)).texts == ["dog"]

    with collection_of(store, ["dog"]) as collection:
        asyncio.run(ask())


def test_who_comes_after_a_failure_goes_on_where_it_was(
    store: Store, engine: Engine, encoder: SlotEncoder, pool: BoundedPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keywords, "_AT_ONCE", 2)
    read = encoder.slot_words

    async def ask() -> None:
        vocabularies = Vocabularies(engine)
        with monkeypatch.context() as broken:
            broken.setattr(encoder, "slot_words", lambda texts: None if "apple" in texts else read(texts))
            with pytest.raises(EncodingFailed):
                await vocabularies.of(collection, pool)
        assert (await vocabularies.of(collection, pool)).texts == ["dog", "cat", "apple"]

    with collection_of(store, ["dog", "cat", "apple"]) as collection:
        asyncio.run(ask())
    assert encoder.word_batches == [2, 1]


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@pytest.mark.parametrize(("nearest", "known"), [(0.95, True), (0.83, True), (0.8, False), (-0.5, False)])
def test_a_slot_knows_whether_the_vocabulary_has_what_it_heard(nearest: float, known: bool) -> None:
    """Its nearest piece has a score of 0.912."""
    (told,) = spoken_keywords([slot(0, nearest)], vocabulary(giraffe=(1.0,)), 3).slots

    assert told.known is known
    assert [word.word for word in told.words] == ["giraffe"]
    assert spoken_keywords([slot(0, nearest)], vocabulary(giraffe=(1.0,)), 3, min_score=0.99).slots[0].known is known
