"""A real process that writes, killed at random moments: what it acknowledged is there, and no half batch ever is.

`SPEECHCLIP_KILLS` says how often; CI has patience for some tens.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.collection import Collection
from index.durable.batches import Once
from index.durable.media import SCHEME, name_of
from index.durable.snapshot import Snapshot
from index.records import Record
from index.store import Store

KILLS = int(os.environ.get("SPEECHCLIP_KILLS", "20"))
DIM = 8
CYCLE, TAKEN, RESTORED = 13, 3, 6
"""Of so many versions one is in a snapshot, and another is that snapshot restored."""

# It imports this very file, whose folder it is given.
WRITER = """
import sys
from pathlib import Path

sys.path[:0] = sys.argv[2:]
from test_killed_writer import work

for version in work(Path(sys.argv[1])):
    print(version, flush=True)
"""

Contents = dict[str, tuple[Record, NDArray[np.float32]]]


def work(root: Path) -> Iterator[str | int]:
    """What the writer does until it is killed; the versions that it acknowledges."""
    store = Store(root)
    collection = store.open("images") if store.names() else store.create("images", "images", DIM, "model")
    yield "ready"
    if collection.version and not is_special(collection.version):
        # As a client whose answer was lost: it must not be stored again.
        assert write(collection, collection.version) == collection.version
    while True:
        version = collection.version
        taken = root.parent / f"{version // CYCLE}.snapshot"
        if version % CYCLE == TAKEN and not taken.exists():
            collection.snapshot(taken)
        if version % 7 == 5:
            collection.compact()
        if version % 5 == 0:
            collection.flush()
        if (version + 1) % CYCLE == RESTORED:
            collection.restore(Snapshot(taken))
        elif is_special(version + 1):
            collection.delete([collection.list(1)[0].id, "id-3", "nothing"])
        else:
            write(collection, version + 1)
        yield collection.version


def is_special(version: int) -> bool:
    """Restored, or deleted from, rather than added to."""
    return version % CYCLE == RESTORED or version % 4 == 0


def media(version: int) -> tuple[str, bytes]:
    data = f"media {version}".encode()
    return name_of(data, ".png"), data


def batch(version: int) -> Contents:
    """What the batch of this number stores."""
    chance = np.random.default_rng(version)
    vectors = chance.standard_normal((16, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"new-{version % 50}", *(f"id-{number}" for number in chance.permutation(40)[:15])]
    uris = [SCHEME + media(version)[0], *[None] * 15]
    records = [Record(id, uri, metadata={"version": version}) for id, uri in zip(ids, uris, strict=True)]
    return {record.id: (record, vector) for record, vector in zip(records, vectors.astype(np.float32), strict=True)}


def write(collection: Collection, version: int) -> int:
    records, vectors = zip(*batch(version).values(), strict=True)
    name, data = media(version)
    return collection.put(records, np.array(vectors), {name: data}, Once(f"batch {version}", "the same")).version


def history() -> Iterator[Contents]:
    """What has to be there after each version, from version 0 on."""
    contents, taken, version = Contents(), Contents(), 0
    while True:
        yield contents
        taken = contents if version % CYCLE == TAKEN else taken
        version += 1
        if version % CYCLE == RESTORED:
            contents = taken
        elif is_special(version):
            gone = {min(contents), "id-3"}
            contents = {id: one for id, one in contents.items() if id not in gone}
        else:
            contents = contents | batch(version)


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
    root, chance = tmp_path / "collections", random.Random(5)
    states, reached, contents, in_doubt = history(), -1, Contents(), 0
    for _ in range(KILLS):
        acknowledged = max(kill_a_writer(root, chance), reached)
        with Store(root).open("images") as collection:
            assert collection.version in (acknowledged, acknowledged + 1)
            in_doubt += collection.version > acknowledged
            while reached < collection.version:
                contents, reached = next(states), reached + 1
            assert_holds(collection, contents)
    assert reached > 2 * KILLS
    print(f"{KILLS} kills, {reached} versions, {in_doubt} stored but not acknowledged")


def assert_holds(collection: Collection, contents: Contents) -> None:
    assert collection.count == len(contents)
    assert (collection.list(1000) if contents else []) == [contents[id][0] for id in sorted(contents)]
    for id, (record, vector) in contents.items():
        assert (collection.vector(id) == vector).all()
        (best,) = collection.search(vector[np.newaxis], 1)
        assert best[0].record == record
        if record.uri is not None:
            path = collection.media(record.uri)
            assert path is not None
            assert path.read_bytes() == media(int(str(record.metadata["version"])))[1]
    (everything,) = collection.search(np.eye(1, DIM, dtype=np.float32), 1000)
    assert {hit.record.id for hit in everything} == set(contents)
