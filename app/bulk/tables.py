"""Manifests: tables whose rows are items. `id`, `path` or `uri`, `caption` or `text`; all else becomes metadata.

Paths are relative to the table's folder. CSV and TSV have the names of their columns in the first line, JSONL an object
a line. A row that cannot be read is told and passed over; the next one is read.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NoReturn

from pydantic import JsonValue

from app.bulk.items import MAX_ROW, Bad, Found, bad
from app.bulk.lines import lines
from app.bulk.rows import ID, MEDIA, PATH, TEXTS, URI, Row, item
from index.manifest import Kind

MAX_COLUMNS = 1024
LARGEST_WHOLE = 1 << 53  # as far as every reader of JSON counts exactly
MAX_DIGITS = 32
LOOKED_AT = 100  # rows, in search of one that can be read

# A column of a CSV file has no type, and filters compare numbers: what JSON would call a number is one.
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

Rows = Iterator[Row | Bad]


class Table:
    """A CSV, TSV or JSONL file."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name
        self.root: Path | None = path.parent
        first = next((row for row in islice(self._rows(), LOOKED_AT) if isinstance(row, Row)), None)
        self.kinds = kinds_of(() if first is None else first.values)

    def size(self) -> int:
        return self.path.stat().st_size

    def items(self, kind: Kind, root: Path | None) -> Iterator[Found]:
        return items_of(self._rows(), kind, root)

    def _rows(self) -> Rows:
        return READERS[self.path.suffix.lower()](self.path)


def kinds_of(columns: Iterable[str]) -> tuple[Kind, ...]:
    """What the rows of a table can be, most likely first."""
    texts: tuple[Kind, ...] = ("captions", "keywords")
    return (*MEDIA, *texts) if {PATH, URI} & set(columns) else (*texts, *MEDIA)


def items_of(rows: Rows, kind: Kind, root: Path | None) -> Iterator[Found]:
    """Every row as an item, or why it is none."""
    for row in rows:
        if isinstance(row, Bad):
            yield row
            continue
        try:
            yield item(row, kind, root)
        except (ValueError, OSError) as error:
            yield bad(row.where, error, row.weight)


def separated(path: Path, delimiter: str) -> Rows:
    """The rows of a CSV file; `number` is the line that a row ends on."""
    source = _Lines(path)
    reader, columns = csv.reader(source, delimiter=delimiter, strict=True), list[str]()
    while True:
        source.size = 0
        try:
            values = next(reader, None)
            if values is None:
                return
            if not columns:
                columns = _columns(values)
            elif values:
                yield Row(path, source.number, _named(columns, values), source.size)
        except (csv.Error, ValueError) as error:
            yield bad(f"{path.name}:{source.number}", error, source.size)
            if not columns:
                return


def json_lines(path: Path) -> Rows:
    """The objects of a JSONL file; `number` is the line."""
    for line in lines(path):
        try:
            if line.text is None:
                raise ValueError(line.problem)
            if line.text.strip():
                yield Row(path, line.number, json_object(line.text), line.size)
        except ValueError as error:
            yield bad(f"{path.name}:{line.number}", error, line.size)


def json_object(text: str | bytes) -> dict[str, JsonValue]:
    """Raises `ValueError`, also for numbers that JSON does not have."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error.msg} at character {error.pos}") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    return value


READERS: Mapping[str, Callable[[Path], Rows]] = {
    ".csv": lambda path: separated(path, ","),
    ".tsv": lambda path: separated(path, "\t"),
    ".jsonl": json_lines,
    ".ndjson": json_lines,
}


class _Lines:
    """The lines of a file for `csv`. `size`: bytes since it was last set to 0; a row that takes too many is given up.

    A quote that is never closed would make a row of the whole rest.
    """

    def __init__(self, path: Path) -> None:
        self._lines = lines(path)
        self.number = self.size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number = line.number
        self.size += line.size
        if line.text is None:
            raise ValueError(line.problem)
        if self.size > MAX_ROW:
            raise ValueError(f"the row has more than {MAX_ROW:,} bytes; is a quote not closed?")
        return line.text


def _columns(names: list[str]) -> list[str]:
    if len(names) > MAX_COLUMNS:
        raise ValueError(f"there are {len(names)} columns; {MAX_COLUMNS} are the most")
    for name in names:
        if not name or names.count(name) > 1:
            raise ValueError(f"{names.count(name)} columns are called {name!r}")
    return names


def _named(columns: list[str], values: list[str]) -> dict[str, JsonValue]:
    if len(values) != len(columns):
        raise ValueError(f"there are {len(values)} values for {len(columns)} columns")
    texts = {ID, PATH, URI, *TEXTS}
    return {
        name: value if name in texts else _typed(value) for name, value in zip(columns, values, strict=True) if value
    }


def _typed(value: str) -> JsonValue:
    if len(value) > MAX_DIGITS or not NUMBER.fullmatch(value):
        return value
    number: float = json.loads(value)
    return number if abs(number) <= LARGEST_WHOLE else value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
