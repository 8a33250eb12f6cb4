"""The rows of a table, whatever it is written in."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from training.datasets.folder import parse_json, read_list, utf8
from training.datasets.names import printable
from training.errors import DatasetError

NEEDED, OPTIONAL = ("audio", "image"), ("text", "split")


class Row(NamedTuple):
    """One row. `number`: the line it ends on, or its place in a file that has no lines; both begin with 1."""

    number: int
    audio: str
    image: str
    text: str | None
    split: str | None


class JsonRow(BaseModel):
    """One line of JSON."""

    audio: str
    image: str
    text: str | None = None
    split: str | None = None


def read_rows(path: Path) -> Sequence[Row]:
    """All rows of a .csv, .tsv, .jsonl or .parquet file. Raises `DatasetError`."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(f"{printable(path)} is none of {', '.join(READERS)}")
    return list(reader(path))


def parse_csv(text: str, name: str, delimiter: str = ",") -> Iterator[Row]:
    """Rows under a line with the names of the columns. Raises `DatasetError`."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(rows, [])
        _check_columns(header, name)
        for values in rows:
            if not values:
                continue
            if len(values) != len(header):
                raise DatasetError(f"{name}:{rows.line_num} has {len(values)} values for {len(header)} columns")
            yield _row(rows.line_num, dict(zip(header, values, strict=True)))
    except csv.Error as error:
        raise DatasetError(f"{name}:{rows.line_num} cannot be read: {error}") from error


def parse_jsonl(data: bytes, name: str) -> Iterator[Row]:
    """An object a line. Raises `DatasetError`."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            yield _row(number, parse_json(line, JsonRow, f"{name}:{number}").model_dump())


def _csv(path: Path) -> Iterator[Row]:
    return parse_csv(utf8(read_list(path), path.name), printable(path.name))


def _tsv(path: Path) -> Iterator[Row]:
    return parse_csv(utf8(read_list(path), path.name), printable(path.name), "\t")


def _jsonl(path: Path) -> Iterator[Row]:
    return parse_jsonl(read_list(path), printable(path.name))


def _parquet(path: Path) -> Iterator[Row]:
    try:
        pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise DatasetError("reading Parquet needs the package pyarrow: install it, or save the table as CSV") from None
    name, number = printable(path.name), 0
    try:
        # Opened here: pyarrow would take some names for addresses.
        with path.open("rb") as file:
            table = parquet.ParquetFile(file)
            columns = [column for column in table.schema_arrow.names if column in (*NEEDED, *OPTIONAL)]
            _check_columns(columns, name)
            for batch in table.iter_batches(columns=columns):
                for row in batch.to_pylist():
                    yield _row(number := number + 1, _texts(row, f"{name}:{number}"))
    # ValueError: text that is not UTF-8.
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DatasetError(printable(f"{name} cannot be read: {error}")) from error


READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}


def _check_columns(columns: Sequence[str], name: str) -> None:
    for column in NEEDED:
        if column not in columns:
            raise DatasetError(f"{name} has no column {column}")
    for column in (*NEEDED, *OPTIONAL):
        if columns.count(column) > 1:
            raise DatasetError(f"{name} has {columns.count(column)} columns {column}")


def _texts(row: Mapping[str, object], where: str) -> Mapping[str, str | None]:
    found = dict[str, str | None]()
    for column, value in row.items():
        if value is not None and not isinstance(value, str):
            raise DatasetError(f"{where} has {type(value).__name__} for {column}, not text")
        found[column] = value
    return found


def _row(number: int, values: Mapping[str, str | None]) -> Row:
    """Nothing and the empty text are the same; whoever takes the rows says what may be empty."""
    text, split = values.get("text") or None, values.get("split") or None
    return Row(number, values["audio"] or "", values["image"] or "", text, split)
