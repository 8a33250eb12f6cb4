"""Rows of a table: whatever was written is read, and whatever else comes is refused in one sentence."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.datasets.tiny_corpora import write
from training.datasets.folder import utf8
from training.datasets.manifest_rows import Row, parse_csv, parse_jsonl, read_rows
from training.errors import DatasetError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
# The module csv of Python 3.11 and later reads NUL as any other character.
VALUES = st.tuples(NAMES, NAMES, TEXTS, TEXTS)


@given(rows=st.lists(VALUES, max_size=5), delimiter=st.sampled_from([",", "\t"]))
def test_a_table_that_csv_wrote_is_read_as_it_was(rows: list[tuple[str, str, str, str]], delimiter: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows([("audio", "image", "text", "split"), *rows])

    found = list(parse_csv(file.getvalue(), "my.csv", delimiter))

    assert [row[1:] for row in found] == [
        (audio, image, text or None, split or None) for audio, image, text, split in rows
    ]


@given(rows=st.lists(VALUES, max_size=5), ascii=st.booleans())
def test_lines_that_json_wrote_are_read_as_they_were(rows: list[tuple[str, str, str, str]], ascii: bool) -> None:
    names = ("audio", "image", "text", "split")
    lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=ascii) for row in rows]

    found = list(parse_jsonl("\n".join(lines).encode(), "my.jsonl"))

    assert found == [
        Row(number, audio, image, text or None, split or None)
        for number, (audio, image, text, split) in enumerate(rows, start=1)
    ]


@given(data=st.binary(max_size=60), header=st.sampled_from([b"", b"audio,image\n", b"audio,image,text,split\r\n"]))
def test_any_bytes_are_rows_or_refused(data: bytes, header: bytes) -> None:
    for parse in (_csv, lambda data: parse_jsonl(data, "my.jsonl")):
        with suppress(DatasetError):
            assert all(isinstance(row.audio, str) and row.number > 0 for row in parse(header + data))


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3)
    ),
    column=st.sampled_from(["audio", "image", "text", "split"]),
)
def test_values_that_are_no_text_are_refused(value: object, column: str) -> None:
    row = {"audio": "a", "image": "b", column: value}
    allowed = isinstance(value, str) or (value is None and column in ("text", "split"))

    if allowed:
        assert len(list(parse_jsonl(json.dumps(row).encode(), "my.jsonl"))) == 1
    else:
        with pytest.raises(DatasetError, match=r"my\.jsonl:1"):
            list(parse_jsonl(json.dumps(row).encode(), "my.jsonl"))


def _csv(data: bytes) -> Any:
    return parse_csv(utf8(data, "my.csv"), "my.csv")


def test_values_of_several_lines_are_numbered_by_their_last() -> None:
    rows = list(parse_csv('audio,image,text\na,b,"two\nlines"\n\nc,d,e\n', "my.csv"))

    assert [(row.number, row.text) for row in rows] == [(3, "two\nlines"), (5, "e")]


def test_without_pyarrow_a_parquet_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(DatasetError, match="needs the package pyarrow"):
        read_rows(write(tmp_path / "my.parquet", b"PAR1"))


def write_parquet(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_a_parquet_file_is_read_by_its_columns(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {"n": [1, 2], "text": ["ä", None], "image": ["i", "j"], "audio": ["a", "b"]}

    rows = read_rows(write_parquet(tmp_path / "my.parquet", columns))

    assert rows == [Row(1, "a", "i", "ä", None), Row(2, "b", "j", None, None)]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"audio": ["a"]}, "has no column image"), ({"audio": [1], "image": ["i"]}, "1 has int for audio, not text")],
)
def test_a_parquet_file_of_other_columns_is_refused(
    tmp_path: Path, columns: dict[str, list[object]], reason: str
) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_rows(write_parquet(tmp_path / "my.parquet", columns))


def test_a_parquet_file_of_text_that_is_none_is_refused(tmp_path: Path) -> None:
    names = pytest.importorskip("pyarrow").array([b"\xff"]).view("string")

    with pytest.raises(DatasetError, match=r"my\.parquet cannot be read"):
        read_rows(write_parquet(tmp_path / "my.parquet", {"audio": names, "image": ["i"]}))


def test_a_parquet_file_that_broke_off_is_refused(tmp_path: Path) -> None:
    whole = write_parquet(tmp_path / "my.parquet", {"audio": ["a"], "image": ["i"]}).read_bytes()

    for size in (0, 3, 10, len(whole) // 2, len(whole) - 1):
        with pytest.raises(DatasetError, match=r"my\.parquet cannot be read"):
            read_rows(write(tmp_path / "my.parquet", whole[:size]))
