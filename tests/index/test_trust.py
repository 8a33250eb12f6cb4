"""Opening is quick because what this package left is not looked through again, and only that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from index.collection import Collection
from index.durable import table as table_module
from index.durable.table import Table
from index.records import Record
from index.store import Store
from tests.index.built_base import clustered

WRITER = """
import os, sys
from pathlib import Path

sys.path[:0] = sys.argv[2:]
from index.durable import table
from index.records import Record
from index.store import Store
from tests.index.built_base import clustered

table.LOG_BYTES = int(os.environ["LOG_BYTES"])
collection = Store(Path(sys.argv[1])).open("images")
for number in range(20):
    collection.add([Record(f"{number}-{other}") for other in range(50)], clustered(50, 8, number))
os._exit(9)
"""


@pytest.fixture
def looked_through(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For every table that is opened whether it was."""
    opened, check = list[bool](), Table.check

    def watched(table: Table, sealed: bool = False) -> object:
        opened.append(not sealed)
        return check(table, sealed)

    monkeypatch.setattr(Table, "check", watched)
    return opened


@pytest.fixture
def closed(collection: Collection, tmp_path: Path) -> Path:
    """The folder of a collection that was closed with something in it."""
    collection.add([Record("a")], clustered(1, 8))
    collection.close()
    return tmp_path / "collections" / "images"


def test_what_was_closed_is_trusted(store: Store, closed: Path, looked_through: list[bool]) -> None:
    store.open("images").close()
    store.open("images").close()
    assert looked_through == [False, False]


def touch(path: Path) -> None:
    path.write_bytes(path.read_bytes())


@pytest.mark.parametrize(
    ("name", "spoil"),
    [("records.sqlite", touch), ("seals.json", touch), ("seals.json", Path.unlink), ("records.sqlite", None)],
)
def test_what_was_touched_is_looked_through_once(
    store: Store, closed: Path, looked_through: list[bool], name: str, spoil: Callable[[Path], object] | None
) -> None:
    if spoil is None:
        (closed / name).rename(closed / "away")
        (closed / "away").rename(closed / name)
    else:
        spoil(closed / name)
    expected = name == "records.sqlite" or spoil is Path.unlink
    for _ in range(2):
        store.open("images").close()
    assert looked_through == [expected, False]


@pytest.mark.parametrize("log_bytes", [1, 100_000, 100_000_000])
def test_after_a_kill_too_however_often_the_log_was_moved(
    store: Store, closed: Path, looked_through: list[bool], log_bytes: int
) -> None:
    command = [sys.executable, "-c", WRITER, str(closed.parent), str(Path.cwd())]
    done = subprocess.run(command, env={"LOG_BYTES": str(log_bytes)}, check=False)
    assert done.returncode == 9
    with store.open("images") as again:
        assert (again.count, again.version) == (1001, 21)
        assert again.search(clustered(50, 8, 19)[:1], 1)[0][0].record.id == "19-0"
    assert looked_through == [False]


def test_a_log_that_could_not_be_moved_is_moved_later(
    collection: Collection, store: Store, closed: Path, monkeypatch: pytest.MonkeyPatch, looked_through: list[bool]
) -> None:
    """A reader of its own keeps an old state: nothing waits for it, and nothing is lost."""
    monkeypatch.setattr(table_module, "LOG_BYTES", 1)
    with store.open("images") as again:
        reading = again._table.chunks()
        next(reading)
        for number in range(5):
            again.add([Record(str(number))], clustered(1, 8))
        reading.close()
    with store.open("images") as once_more:
        assert once_more.count == 6
    assert looked_through == [False, False]
