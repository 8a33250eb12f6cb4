"""Searches beside writes: every reader sees a batch wholly or not at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from index.collection import Collection
from index.records import Record
from tests.patience import WAIT_S

DIM = 8
COUNT = 64
MOST = 10_000
"""Generations, on a machine that does not let the readers in."""
EYE = np.eye(DIM, dtype=np.float32)


def turn(collection: Collection, generation: int) -> None:
    """One batch that moves every record on by one axis."""
    numbers = np.arange(COUNT)
    records = [Record(f"id-{number:02}", metadata={"generation": generation}) for number in numbers]
    collection.add(records, EYE[(numbers + generation) % DIM])


def watch_search(collection: Collection, done: Event, seen: set[int]) -> None:
    """Search until told to stop; the generations that were seen."""
    while not done.is_set():
        first, second = collection.search(EYE[:2], COUNT)
        generations = {hit.record.metadata["generation"] for hit in (*first, *second)}
        assert len(first) == len(second) == COUNT
        assert len(generations) == 1
        (generation,) = generations
        assert isinstance(generation, int)
        best = [f"id-{number:02}" for number in range(COUNT) if (number + generation) % DIM == 0]
        assert [hit.record.id for hit in first if hit.score == 1.0] == best
        seen.add(generation)


def watch_list(collection: Collection, done: Event, seen: set[int]) -> None:
    """The same for listings."""
    while not done.is_set():
        generations = {record.metadata["generation"] for record in collection.list(COUNT)}
        assert len(generations) == 1
        seen |= {int(str(generation)) for generation in generations}


@pytest.mark.parametrize("watch", [watch_search, watch_list])
def test_a_reader_sees_whole_batches(
    collection: Collection, watch: Callable[[Collection, Event, set[int]], None]
) -> None:
    turn(collection, 0)
    done, seen = Event(), [set[int]() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        watchers = [pool.submit(watch, collection, done, each) for each in seen]
        try:
            for generation in range(1, MOST):
                turn(collection, generation)
                if generation % 10 == 0:
                    collection.flush()
                if generation >= 60 and any(len(each) > 1 for each in seen):
                    break
        finally:
            done.set()
        for watcher in watchers:
            watcher.result()
    assert any(len(each) > 1 for each in seen)


def test_writers_do_not_lose_each_others_batches(collection: Collection) -> None:
    def write(writer: int) -> None:
        for number in range(20):
            collection.add([Record(f"{writer}-{number}")], EYE[:1])
            if number % 3 == 0:
                collection.delete([f"{writer}-{number}"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    expected = {f"{writer}-{number}" for writer in range(4) for number in range(20) if number % 3}
    assert {record.id for record in collection.list(1000)} == expected
    assert collection.version == 4 * (20 + 7)
    assert {hit.record.id for hit in collection.search(EYE[:1], 1000)[0]} == expected


def test_searches_run_beside_each_other(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search inside a search would wait for ever if searches excluded each other."""
    collection.add([Record("a")], EYE[:1])
    with ThreadPoolExecutor(1) as pool, collection._reads():
        assert pool.submit(collection.search, EYE[:1], 1).result(timeout=WAIT_S)[0][0].record.id == "a"
