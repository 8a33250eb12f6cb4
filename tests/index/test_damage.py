"""Whatever happens to the bytes of a collection, it gives the right answers or says that it is damaged."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.collection import Collection, Hits
from index.errors import CollectionDamaged
from index.records import Record
from index.store import Store

COUNT = 60
DIM = 8

Answers = tuple[list[Record], list[Record], NDArray[np.float32], Hits]


def record(number: int, version: int) -> Record:
    return Record(f"id-{number * 37 % COUNT:02}", caption=f"caption {number}", metadata={"version": version})


def answers(collection: Collection, query: NDArray[np.float32]) -> Answers:
    """All a caller can ask."""
    records = collection.list(1000)
    got = [collection.get(record.id) for record in records]
    vectors = [collection.vector(record.id) for record in records]
    return records, got, np.array(vectors), collection.search(query, 1000)


def same(one: Answers, other: Answers) -> bool:
    return (one[0], one[1], one[3]) == (other[0], other[1], other[3]) and np.array_equal(one[2], other[2])


@pytest.fixture
def fill(unit_vectors: Callable[..., NDArray[np.float32]]) -> Callable[[Collection], Iterator[int]]:
    """Three batches, the second over the first; the number of each after it is stored."""

    def fill(collection: Collection) -> Iterator[int]:
        vectors = unit_vectors(COUNT, DIM)
        yield collection.add([record(number, 1) for number in range(COUNT)], vectors)
        yield collection.add([record(number, 2) for number in range(0, COUNT, 3)], vectors[1::3])
        collection.delete([record(number, 2).id for number in range(0, COUNT, 7)])
        yield 3

    return fill


@pytest.fixture
def whole(
    tmp_path: Path, fill: Callable[[Collection], Iterator[int]], unit_vectors: Callable[..., NDArray[np.float32]]
) -> tuple[Path, Answers]:
    """The folder of a store with one closed collection, and what it answers."""
    with Store(tmp_path / "whole").create("images", "images", DIM, "model") as collection:
        list(fill(collection))
        return tmp_path / "whole", answers(collection, unit_vectors(2, DIM, seed=9))


def spoiled(content: bytes, chance: random.Random) -> bytes:
    """The content with one accident: a changed bit, byte or run, a cut, a hole, something appended."""
    written = [place for place, byte in enumerate(content) if byte] or [0]
    place = chance.choice(written)
    run = chance.choice([4, 64, 512])
    match chance.randrange(8):
        case 0:
            return content[: chance.randrange(len(content) + 1)]
        case 1:
            return content[:place] + bytes(run) + content[place + run :]
        case 2:
            return content[:place] + chance.randbytes(run) + content[place + run :]
        case 3:
            return content[:place] + content[place + run :]
        case 4:
            return content + chance.randbytes(run)
        case _:
            return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("name", "lose_index", "times", "possible"),
    [
        ("records.sqlite", False, 80, {"right", "damaged"}),
        ("records.sqlite", True, 80, {"right", "damaged"}),
        ("index-3.faiss", False, 25, {"right"}),
        ("manifest.json", False, 25, {"damaged"}),
    ],
)
def test_a_spoiled_file_gives_the_right_answers_or_damage(
    whole: tuple[Path, Answers],
    unit_vectors: Callable[..., NDArray[np.float32]],
    name: str,
    lose_index: bool,
    times: int,
    possible: set[str],
) -> None:
    root, expected = whole
    query = unit_vectors(2, DIM, seed=9)
    files = {path: path.read_bytes() for path in (root / "images").iterdir()}
    chance = random.Random(name)
    outcomes = set[str]()
    for attempt in range(times):
        restore(root, files)
        (root / "images" / name).write_bytes(spoiled(files[root / "images" / name], chance))
        if lose_index:
            (root / "images" / "index-3.faiss").unlink()
        try:
            with Store(root).open("images", "model") as collection:
                assert same(answers(collection, query), expected), attempt
            outcomes.add("right")
        except CollectionDamaged:
            outcomes.add("damaged")
    assert outcomes == possible


def restore(root: Path, files: dict[Path, bytes]) -> None:
    shutil.rmtree(root / "images")
    (root / "images").mkdir()
    for path, content in files.items():
        path.write_bytes(content)


def test_a_spoiled_log_gives_the_state_after_some_whole_batch_or_damage(
    tmp_path: Path,
    fill: Callable[[Collection], Iterator[int]],
    unit_vectors: Callable[..., NDArray[np.float32]],
) -> None:
    """What SQLite's write-ahead log cannot tell apart: a damaged frame, and the torn end of a killed write."""
    query = unit_vectors(2, DIM, seed=9)
    with Store(tmp_path / "store").create("images", "images", DIM, "model") as collection:
        states = [answers(collection, query), *(answers(collection, query) for _ in fill(collection))]
        folder = tmp_path / "store" / "images"
        names = ("manifest.json", "records.sqlite", "records.sqlite-wal")
        files = {name: (folder / name).read_bytes() for name in names}
    root = tmp_path / "killed"
    chance = random.Random(0)
    reached = set[int]()
    for attempt in range(40):
        (root / "images").mkdir(parents=True)
        restore(root, {root / "images" / name: content for name, content in files.items()})
        log = root / "images" / "records.sqlite-wal"
        log.write_bytes(spoiled(files[log.name], chance) if attempt else files[log.name])
        try:
            with Store(root).open("images", "model") as collection:
                found = answers(collection, query)
                assert same(found, states[collection.version]), attempt
                reached.add(collection.version)
        except CollectionDamaged:
            pass
        shutil.rmtree(root)
    assert max(reached) == 3
    assert len(reached) > 1
