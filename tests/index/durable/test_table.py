from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.durable import table as table_module
from index.durable.rows import State
from index.durable.table import Table
from index.errors import CollectionDamaged
from index.records import Record

UnitVectors = Callable[..., NDArray[np.float32]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Table.create(tmp_path)
    return tmp_path


@pytest.fixture
def table(folder: Path) -> Iterator[Table]:
    with closing(Table(folder, 8)) as table:
        yield table


def put(table: Table, *ids: str) -> None:
    table.put([Record(id) for id in ids], np.eye(8, dtype=np.float32)[: len(ids)])
    table.commit()


def test_a_new_table_is_empty(table: Table) -> None:
    assert table.check() == State(seq=0, count=0)
    assert table.page(10, None) == []
    assert table.fetch([]) == {}


def test_a_batch_is_invisible_until_committed(table: Table) -> None:
    table.put([Record("a")], np.eye(8, dtype=np.float32)[:1])
    assert table.state() == State(0, 0)
    table.commit()
    assert table.state() == State(1, 1)


def test_a_batch_that_was_never_committed_is_dropped_by_the_next(table: Table) -> None:
    table.put([Record("a")], np.eye(8, dtype=np.float32)[:1])
    put(table, "b")
    assert [record.id for record in table.page(10, None)] == ["b"]
    assert table.check() == State(1, 1)


def test_a_change_tells_an_index_what_to_do(table: Table) -> None:
    put(table, "a", "b")
    change = table.put([Record("c"), Record("b")], np.eye(8, dtype=np.float32)[:2])
    assert (change.gone.tolist(), change.rows.tolist(), change.state) == ([1], [2, 1], State(2, 3))
    table.commit()
    change = table.remove(["nobody", "a", "a"])
    assert (change.gone.tolist(), change.rows.tolist(), change.state) == ([0], [], State(3, 2))


def test_deleting_nothing_is_no_change(table: Table) -> None:
    put(table, "a")
    assert table.remove(["b", "\ud800"]).state == State(1, 1)


def test_chunks_are_all_rows_in_order(table: Table, unit_vectors: UnitVectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "CHUNK_ROWS", 7)
    vectors = unit_vectors(25)
    table.put([Record(f"r{number}") for number in range(25)], vectors)
    table.commit()
    chunks = list(table.chunks())
    assert [len(rows) for rows, _ in chunks] == [7, 7, 7, 4]
    assert np.concatenate([rows for rows, _ in chunks]).tolist() == list(range(25))
    assert (np.concatenate([part for _, part in chunks]) == vectors).all()


def test_a_missing_row_is_damage(table: Table) -> None:
    put(table, "a")
    with pytest.raises(CollectionDamaged, match="records of the index are missing"):
        table.fetch([0, 1])


def test_a_missing_file_is_damage_and_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(CollectionDamaged, match="there is no such file"):
        Table(tmp_path, 8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM records WHERE id = 'b'",
        "UPDATE state SET seq = 7",
        "UPDATE state SET count = 7",
        "DELETE FROM state",
        "INSERT INTO state SELECT * FROM state",
        "DROP TABLE state",
        "CREATE INDEX another ON records (caption)",
    ],
)
def test_changes_from_outside_are_damage(folder: Path, tampering: str) -> None:
    with closing(Table(folder, 8)) as table:
        put(table, "a", "b")
    tamper(folder, tampering)
    with closing(Table(folder, 8)) as table, pytest.raises(CollectionDamaged, match=r"records\.sqlite of .* damaged"):
        table.check()


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE records SET caption = 'x'",
        "UPDATE records SET caption = CAST(x'ff' AS TEXT)",
        "UPDATE records SET uri = 7",
        "UPDATE records SET metadata = '{'",
        "UPDATE records SET vector = zeroblob(32)",
        "UPDATE records SET vector = x'00'",
        "UPDATE records SET vector = 'text'",
        "UPDATE records SET row = row + 1",
        "UPDATE records SET seq = 2",
        "UPDATE records SET checksum = 0",
    ],
)
def test_a_changed_row_is_damage_when_it_is_read(folder: Path, tampering: str) -> None:
    with closing(Table(folder, 8)) as table:
        put(table, "a")
    tamper(folder, tampering)
    with closing(Table(folder, 8)) as table:
        for read in (lambda: table.get("a"), lambda: table.page(1, None), lambda: list(table.chunks())):
            with pytest.raises(CollectionDamaged, match="delete the collection"):
                read()


def test_an_id_that_could_not_be_found_any_more_is_damage(folder: Path) -> None:
    with closing(Table(folder, 8)) as table:
        put(table, "needle", "other")
    path = folder / "records.sqlite"
    content = path.read_bytes()
    assert content.count(b"needle") == 2
    path.write_bytes(b"beadle".join(content.rsplit(b"needle", 1)))
    with closing(Table(folder, 8)) as table:
        assert table.get("needle") is None
        with pytest.raises(CollectionDamaged, match="row 1 missing from index"):
            table.check()


def tamper(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "records.sqlite")) as connection, connection:
        connection.execute(statement)


def test_a_log_that_has_become_long_is_moved_into_the_table(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Path(f"{table._path}-wal")
    put(table, "a")
    before = log.stat().st_size
    assert not table.trim()
    monkeypatch.setattr(table_module, "LOG_BYTES", before - 1)
    assert table.trim()
    put(table, "b")
    assert log.stat().st_size <= before
    assert table.check() == State(2, 2)
    log.unlink()
    assert not table.trim()


def test_a_sealed_table_is_not_looked_through(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    put(table, "a")
    statements = list[str]()
    table._reader.set_trace_callback(statements.append)
    assert table.check(sealed=True) == State(1, 1)
    assert not any("integrity_check" in statement for statement in statements)


def test_what_was_stored_after_a_version_and_what_was_there_before_and_still_is(table: Table) -> None:
    put(table, "a", "b", "c")
    table.remove(["b"])
    table.commit()
    put(table, "a", "d")
    assert table.unchanged(1).tolist() == [2]
    assert table.unchanged(3).tolist() == [0, 2, 3]
    assert [(rows.tolist(), len(vectors)) for rows, vectors in table.changes(1)] == [([0, 3], 2)]
    assert list(table.changes(3)) == []
    assert [rows.tolist() for rows, _ in table.chunks(1)] == [[2]]
    assert table.check() == State(3, 3)
