"""A real process that writes, killed at random moments: what it acknowledged is there, and no half batch ever is."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.collection import Collection
from index.records import Record
from index.store import Store

KILLS = 10
DIM = 8

# It imports this very file, whose folder it is given.
WRITER = """
import sys
from pathlib import Path

sys.path[:0] = sys.argv[2:]
from index.store import Store
from test_killed_writer import write_batch

print("ready", flush=True)
store = Store(Path(sys.argv[1]))
collection = store.open("images") if store.names() else store.create("images", "images", 8, "model")
while True:
    version = write_batch(collection, collection.version + 1)
    print(version, flush=True)
    if version % 5 == 0:
        collection.flush()
"""

Contents = dict[str, tuple[Record, NDArray[np.float32]]]


def batch(version: int) -> tuple[Contents, list[str]]:
    """What the batch of this number stores, or deletes: one of the two, always something."""
    chance = np.random.default_rng(version)
    if version % 4 == 0:
        return {}, [f"new-{version - 1}", *(f"id-{number}" for number in chance.integers(0, 40, 5))]
    vectors = chance.standard_normal((16, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"new-{version}", *(f"id-{number}" for number in chance.permutation(40)[:15])]
    records = [Record(id, metadata={"version": version}) for id in ids]
    return {record.id: (record, vector) for record, vector in zip(records, vectors.astype(np.float32), strict=True)}, []


def write_batch(collection: Collection, version: int) -> int:
    stored, deleted = batch(version)
    if deleted:
        collection.delete(deleted)
        return collection.version
    records, vectors = zip(*stored.values(), strict=True)
    return collection.add(records, np.array(vectors))


def contents_after(version: int) -> Contents:
    contents: Contents = {}
    for number in range(1, version + 1):
        stored, deleted = batch(number)
        contents |= stored
        for id in deleted:
            contents.pop(id, None)
    return contents


def kill_a_writer(root: Path, chance: random.Random) -> int:
    """Let a writer acknowledge some batches, kill it, and give the last it acknowledged."""
    paths = [str(Path.cwd()), str(Path(__file__).parent)]
    command = [sys.executable, "-c", WRITER, str(root), *paths]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(1 + chance.randrange(12))]
        time.sleep(chance.uniform(0, 0.02))
        process.kill()
        lines += process.stdout
    assert lines[0] == "ready\n"
    return max((int(line) for line in lines[1:] if line.endswith("\n")), default=0)


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    root, chance, acknowledged = tmp_path / "collections", random.Random(5), 0
    for _ in range(KILLS):
        acknowledged = max(acknowledged, kill_a_writer(root, chance))
        for name in Store(root).names():
            with Store(root).open(name) as collection:
                assert collection.version in (acknowledged, acknowledged + 1)
                assert_holds(collection, contents_after(collection.version))
                acknowledged = collection.version
    assert acknowledged > KILLS


def assert_holds(collection: Collection, contents: Contents) -> None:
    assert collection.list(1000) == [contents[id][0] for id in sorted(contents)]
    for id, (record, vector) in contents.items():
        assert (collection.vector(id) == vector).all()
        (best,) = collection.search(vector[np.newaxis], 1)
        assert best[0].record == record
    (everything,) = collection.search(np.eye(1, DIM, dtype=np.float32), 1000)
    assert {hit.record.id for hit in everything} == set(contents)
