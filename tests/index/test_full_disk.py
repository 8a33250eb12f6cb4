"""A disk that is full: what does not fit is refused and leaves nothing, and everything else goes on.

The limit on the size of a file stands for the disk; it is that of a process of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from index.collection import Collection
from index.durable.batches import Once
from index.durable.media import SCHEME, name_of
from index.durable.snapshot import Snapshot
from index.errors import StorageFailed
from index.records import Record
from index.store import Store
from tests.patience import WAIT_S

DIM = 64
PICTURE = bytes(range(256)) * 4096

# It imports this very file, whose folder it is given.
PROGRAM = """
import sys
from pathlib import Path

sys.path[:0] = sys.argv[3:]
import test_full_disk

getattr(test_full_disk, sys.argv[2])(Path(sys.argv[1]))
print("done")
"""


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def refused(use: Callable[[], object]) -> None:
    try:
        use()
    except StorageFailed:
        return
    raise AssertionError("it was not refused")


def batch(number: int, count: int = 20) -> tuple[list[Record], np.ndarray[tuple[int, int], np.dtype[np.float32]]]:
    vectors = np.random.default_rng(number).standard_normal((count, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [Record(f"{number}-{one:04}", metadata={"text": "x" * 500}) for one in range(count)], vectors


def opened(root: Path) -> Collection:
    collection = Store(root).create("images", "images", DIM, "model")
    for number in range(5):
        collection.add(*batch(number))
    return collection


def assert_whole(collection: Collection, batches: set[int]) -> None:
    ids = {record.id for record in collection.list(10_000)}
    assert ids == {record.id for number in batches for record in batch(number)[0]}
    for number in batches:
        records, vectors = batch(number)
        assert [hits[0].record for hits in collection.search(vectors, 1)] == records


def writing(root: Path) -> None:
    """Batches until one does not fit; then there is room again."""
    collection, stored, once = opened(root), set(range(5)), Once("key", "digest")
    with no_file_larger_than(2 * 1024 * 1024):
        number = 5
        try:
            while number < 1000:
                collection.put(*batch(number), once=Once(str(number), ""))
                stored.add(number)
                number += 1
        except StorageFailed:
            pass
        assert 5 < number < 1000
        assert_whole(collection, stored)
        refused(lambda: collection.put(*batch(2000, 400), once=once))
        assert collection.receipt(once) is None
        assert collection.receipt(Once(str(number), "")) is None
        assert_whole(collection, stored)
    collection.put(*batch(number), once=once)
    assert_whole(collection, {*stored, number})
    collection.close()
    assert_whole(Store(root).open("images"), {*stored, number})


def keeping(root: Path) -> None:
    """Media that does not fit."""
    collection = opened(root)
    name = name_of(PICTURE, ".png")
    record, vector = Record("picture", SCHEME + name), batch(7)[1][:1]
    with no_file_larger_than(512 * 1024):
        refused(lambda: collection.put([record], vector, {name: PICTURE}))
        assert_whole(collection, set(range(5)))
        assert [path for path in (root / "images" / "media").rglob("*") if path.is_file()] == []
    collection.put([record], vector, {name: PICTURE})
    path = collection.media(record.uri)
    assert path is not None
    assert path.read_bytes() == PICTURE


def maintaining(root: Path) -> None:
    """Snapshots, restoring, compacting and the index."""
    collection = opened(root)
    path = root.parent / "images.snapshot"
    snapshot = collection.snapshot(path)
    collection.add(*batch(5))
    before = sorted(one.name for one in (root / "images").iterdir())
    with no_file_larger_than(20 * 1024):
        refused(lambda: collection.snapshot(root.parent / "other.snapshot"))
        refused(lambda: collection.restore(snapshot))
        refused(collection.compact)
        refused(lambda: Store(root).restore(snapshot, "copy"))
        refused(collection.flush)
        assert_whole(collection, set(range(6)))
        assert sorted(one.name for one in (root / "images").iterdir()) == before
        assert sorted(one.name for one in root.parent.iterdir()) == ["collections", "images.snapshot"]
    assert Store(root).names() == ["images"]
    collection.compact()
    assert_whole(collection, set(range(6)))
    collection.restore(Snapshot(path))
    assert_whole(collection, set(range(5)))
    collection.close()


@pytest.mark.parametrize("part", ["writing", "keeping", "maintaining"])
def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path, part: str) -> None:
    paths = [str(Path.cwd()), str(Path(__file__).parent)]
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(tmp_path / "collections"), part, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)

    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
