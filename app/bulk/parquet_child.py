"""Run as a program of its own: the rows of a Parquet file, one line of JSON each, to stdout.

A Parquet file can unpack to any size, and pyarrow takes what memory that needs; here it gets a bounded amount, and when
that is not enough, or the file crashes the library, only this process ends. It imports nothing of the service.

The first line is `{"rows": how many there are}`, every other one `{"row": number, "values": {...}}`, or
`{"row": number, "bad": reason, "rows": how many from there on}`.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import json
import math
import resource
import sys
import uuid
from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO

BATCH_ROWS = 16
BUFFER_BYTES = 1 << 16
MAX_REASON = 300  # characters


def main(path: str, max_memory: int, max_row: int) -> None:
    """Print the rows of a file."""
    resource.setrlimit(resource.RLIMIT_DATA, (max_memory, max_memory))
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    pyarrow.set_cpu_count(1)
    # Opened here: pyarrow would take some names for addresses.
    with open(path, "rb") as file:
        for line in _lines(file, pyarrow, parquet, max_row):
            sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


def _lines(file: BinaryIO, pyarrow: Any, parquet: Any, max_row: int) -> Iterator[dict[str, Any]]:
    # What pyarrow raises on damage, and where the memory that it may have does not suffice.
    failures = (pyarrow.ArrowException, OSError, ValueError, MemoryError)
    try:
        table = parquet.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False)
        columns = [field.name for field in table.schema_arrow if not _is_binary(field.type, pyarrow.types)]
    except failures as error:
        yield _unreadable(1, 1, error)
        return
    yield {"rows": table.metadata.num_rows}
    start = 1
    for group in range(table.num_row_groups):
        rows, done = table.metadata.row_group(group).num_rows, 0
        try:
            for batch in table.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns, use_threads=False):
                for index in range(batch.num_rows):
                    yield _line(start + done, batch.slice(index, 1), max_row)
                    done += 1
        except failures as error:
            yield _unreadable(start + done, rows - done, error)
        start += rows


def _unreadable(row: int, rows: int, error: Exception) -> dict[str, Any]:
    return {"row": row, "rows": rows, "bad": f"it cannot be read: {str(error)[:MAX_REASON]}"}


def _line(number: int, row: Any, max_row: int) -> dict[str, Any]:
    if row.nbytes > max_row:
        return {"row": number, "bad": f"the row has {row.nbytes:,} bytes; {max_row:,} are the most", "rows": 1}
    values = {name: _json(value) for name, value in row.to_pylist()[0].items()}
    return {"row": number, "values": {name: value for name, value in values.items() if value is not None}}


def _json(value: Any) -> Any:
    """As JSON has it; what is missing, or no number, is None."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case decimal.Decimal():
            return float(value) if value.is_finite() else None
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case uuid.UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(name): _json(one) for name, one in value.items()}
        case list() | tuple():
            return [_json(one) for one in value]
    return value


def _is_binary(type: Any, types: Any) -> bool:
    """Pictures inside the table, mostly: no metadata."""
    return bool(types.is_binary(type) or types.is_large_binary(type) or types.is_binary_view(type))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
