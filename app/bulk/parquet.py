"""Parquet files, read by a process of their own; see `app.bulk.parquet_child`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import IO, Any

from app.bulk.errors import SourceError
from app.bulk.items import MAX_ROW, Bad, Found
from app.bulk.rows import Row
from app.bulk.tables import LOOKED_AT, Rows, items_of, kinds_of
from index.manifest import Kind

CHILD = Path(__file__).with_name("parquet_child.py")
MAX_MEMORY = 1 << 30  # bytes, of the process that reads; pyarrow alone takes a tenth of that


class ParquetTable:
    """A .parquet file as a manifest."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self.root: Path | None = path.parent
        first = next((row for row in islice(parquet_rows(path), LOOKED_AT) if isinstance(row, Row)), None)
        self.kinds = kinds_of(() if first is None else first.values)

    def size(self) -> int:
        return self.path.stat().st_size

    def items(self, kind: Kind, root: Path | None) -> Iterator[Found]:
        return items_of(parquet_rows(self.path), kind, root)


def parquet_rows(path: Path) -> Rows:
    """The rows of a Parquet file; `number` is from 1. Columns of bytes are left out.

    What cannot be read is told once for all rows of its group. Raises `SourceError` without pyarrow, and `OSError`.
    """
    size, rows, number = path.stat().st_size, 1, 0
    with _reader(path) as (reader, output):
        for line in output:
            found = json.loads(line)
            if "row" not in found:
                rows = max(found["rows"], 1)
                continue
            number = found["row"]
            yield _row(path, found, size / rows)
        if status := reader.wait():
            yield Bad(f"{path.name}:{number + 1}", f"from here on it cannot be read: its reader ended with {status}")


def row_count(path: Path) -> int:
    """How many rows a Parquet file says that it has. Raises `ValueError` for one that cannot be read."""
    with _reader(path) as (_, output):
        found = json.loads(output.readline() or "{}")
    if "row" in found or not found:
        raise ValueError(found.get("bad", "it cannot be read"))
    return int(found["rows"])


def _row(path: Path, found: dict[str, Any], weight: float) -> Row | Bad:
    if "bad" in found:
        more = f" (this row, and {found['rows'] - 1:,} after it)" if found["rows"] > 1 else ""
        return Bad(f"{path.name}:{found['row']}", found["bad"] + more, weight * found["rows"])
    return Row(path, found["row"], found["values"], weight)


@contextmanager
def _reader(path: Path) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Its process, and what that says; it ends with the context."""
    if find_spec("pyarrow") is None:
        raise SourceError("reading Parquet needs the package pyarrow: install it, or save the table as CSV")
    # -P: the files beside the program are no modules of it. A session of its own: Ctrl-C is for us, and we end it.
    command = [sys.executable, "-P", str(CHILD), str(path), str(MAX_MEMORY), str(MAX_ROW)]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        try:
            yield process, process.stdout
        finally:
            process.kill()
