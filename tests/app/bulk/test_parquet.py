"""Parquet tables, read in a process with a bounded amount of memory."""

from __future__ import annotations

import datetime
import decimal
import os
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from app.bulk import parquet
from app.bulk.errors import SourceError
from app.bulk.items import Bad, Item
from app.bulk.parquet import ParquetTable, parquet_rows, row_count
from app.bulk.rows import Row


def write(path: Path, rows: list[dict[str, object]], row_group_size: int | None = None) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=row_group_size)
    return path


def test_rows_are_those_of_the_table(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [{"id": n, "text": f"dog {n}", "n": n / 2} for n in range(100)], 7)

    table = ParquetTable(path)
    found = [one for one in table.items("captions", None) if isinstance(one, Item)]
    assert table.kinds[0] == "captions"
    assert [one.record.id for one in found] == [str(n) for n in range(100)]
    assert found[9].record.metadata == {"n": 4.5}
    assert sum(one.weight for one in found) == pytest.approx(table.size())
    assert row_count(path) == 100


def test_values_are_those_that_json_has(tmp_path: Path) -> None:
    moment = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC)
    row = {"text": "dog", "at": moment, "day": moment.date(), "price": decimal.Decimal("1.25"), "bad": float("nan"),
           "image": b"\x89PNG", "none": None, "tags": ["a", None], "deep": {"of": [1]}}  # fmt: skip
    (found,) = parquet_rows(write(tmp_path / "a.parquet", [row]))

    assert isinstance(found, Row)
    assert found.values == {"text": "dog", "at": "2024-02-29T12:30:00+00:00", "day": "2024-02-29", "price": 1.25,
                            "tags": ["a", None], "deep": {"of": [1]}}  # fmt: skip


def test_a_row_that_is_too_large_is_passed_over(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": "a"}, {"text": "x" * 3_000_000}, {"text": "b"}]

    first, second, third = parquet_rows(write(tmp_path / "a.parquet", rows))
    assert isinstance(second, Bad)
    assert "are the most" in second.reason
    assert [one.values["text"] for one in (first, third) if isinstance(one, Row)] == ["a", "b"]


def test_more_memory_than_is_allowed_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes that unpack to far more than that, in the first of two groups."""
    monkeypatch.setattr(parquet, "MAX_MEMORY", 200 << 20)
    path = tmp_path / "a.parquet"
    with pq.ParquetWriter(path, pa.schema({"text": pa.string()}), compression="zstd", use_dictionary=False) as out:
        out.write_table(pa.table({"text": ["x" * 120_000_000, "y" * 120_000_000]}))
        out.write_table(pa.table({"text": ["dog"]}))
    assert path.stat().st_size < 1_000_000

    *bad, last = parquet_rows(path)
    assert [one.where for one in bad] == ["a.parquet:1"]
    assert isinstance(last, Row)
    assert last.values == {"text": "dog"}


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", os.urandom(1000)])
def test_what_is_no_parquet_file_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)

    (only,) = parquet_rows(path)
    assert isinstance(only, Bad)
    with pytest.raises(ValueError, match="cannot be read"):
        row_count(path)


def test_damage_costs_its_own_group(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", [{"text": f"{n}" * 50} for n in range(40)], 10)
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 12] = b"\xff" * 12
    path.write_bytes(data)

    found = list(parquet_rows(path))
    assert [(one.where, "and 9 after it" in one.reason) for one in found if isinstance(one, Bad)] == [
        ("a.parquet:11", True)
    ]
    assert sum(isinstance(one, Row) for one in found) == 30


def test_a_reader_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = tmp_path / "child.py"
    child.write_text("import os\nprint('{\"rows\": 5}', flush=True)\nos.abort()\n")
    monkeypatch.setattr(parquet, "CHILD", child)

    (only,) = parquet_rows(write(tmp_path / "a.parquet", [{"text": "dog"}]))
    assert isinstance(only, Bad)
    assert only.reason == "from here on it cannot be read: its reader ended with -6"


def test_a_reader_ends_with_who_reads(tmp_path: Path) -> None:
    rows = parquet_rows(write(tmp_path / "a.parquet", [{"text": "dog" * 300} for _ in range(5000)]))
    next(rows)
    rows.close()  # type: ignore[attr-defined]

    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_without_pyarrow_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    with pytest.raises(SourceError, match="pyarrow: install it"):
        ParquetTable(write(tmp_path / "a.parquet", [{"text": "dog"}]))
