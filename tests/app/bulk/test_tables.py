"""Manifests: rows of CSV, TSV and JSONL as items."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from app.bulk.items import MAX_ROW, STAMP, Bad, File, Found, Item
from app.bulk.rows import Row
from app.bulk.tables import READERS, Table, json_lines, separated
from index.manifest import Kind
from tests.fake_encoder import WORDS, drawn


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Drawings of all words in a folder, with a secret beside it."""
    here = tmp_path / "catalogue"
    (here / "im").mkdir(parents=True)
    for word in WORDS:
        (here / "im" / f"{word}.png").write_bytes(drawn(word))
    (tmp_path / "secret.png").write_bytes(drawn("dog"))
    return here


def items(path: Path, content: str | bytes, kind: Kind = "images") -> list[Found]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(Table(path).items(kind, path.parent))


def good(found: list[Found]) -> list[Item]:
    assert all(isinstance(one, Item) for one in found), found
    return [one for one in found if isinstance(one, Item)]


def reasons(found: list[Found]) -> list[str]:
    return [one.reason for one in found if isinstance(one, Bad)]


@pytest.mark.parametrize("suffix", sorted(READERS))
def test_the_same_table_in_every_form(folder: Path, suffix: str) -> None:
    rows = [("1", "im/dog.png", "a dog, sitting", 2.5), ("2", "im/cat.png", 'a "cat"', 7)]
    names = ("id", "path", "caption", "price")
    delimiter = {".csv": ",", ".tsv": "\t"}.get(suffix)
    with (folder / f"list{suffix}").open("w", newline="") as file:
        if delimiter:
            csv.writer(file, delimiter=delimiter).writerows([names, *rows])
        else:
            file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)

    dog, cat = good(list(Table(folder / f"list{suffix}").items("images", folder)))
    assert (dog.record.id, dog.record.uri, dog.record.caption) == ("1", "im/dog.png", "a dog, sitting")
    assert dog.content == File(folder / "im/dog.png")
    assert (cat.record.caption, cat.record.metadata["price"]) == ('a "cat"', 7)
    assert cat.where == f"list{suffix}:{3 if delimiter else 2}"


def test_an_id_is_the_path_or_the_text_unless_there_is_one(folder: Path) -> None:
    (image,) = good(items(folder / "a.jsonl", '{"path": "im/../im/dog.png"}'))
    assert (image.record.id, image.record.caption) == ("im/dog.png", "dog")

    (text,) = good(items(folder / "a.jsonl", '{"text": " a  dog\\n"}', "captions"))
    assert (text.record.id, text.record.caption, text.content) == ("a dog", "a dog", None)

    (numbered,) = good(items(folder / "a.jsonl", '{"id": 7, "text": "dog"}', "keywords"))
    assert numbered.record.id == "7"


def test_a_record_changes_when_its_file_does(folder: Path) -> None:
    (before,) = good(items(folder / "a.csv", "path\nim/dog.png\n"))
    (folder / "im/dog.png").write_bytes(drawn("cat", size=(9, 9)))

    (after,) = good(items(folder / "a.csv", "path\nim/dog.png\n"))
    assert before.record.id == after.record.id
    assert before.record.metadata[STAMP] != after.record.metadata[STAMP]


def test_numbers_of_a_csv_file_are_numbers_as_json_writes_them(folder: Path) -> None:
    cells = {"0": 0, "-3.5": -3.5, "1e3": 1000.0, "007": "007", "1.": "1.", "NaN": "NaN", "1e999": "1e999",
             "12345678901234567890": "12345678901234567890", "true": "true", "٣": "٣"}  # fmt: skip
    for cell, value in cells.items():
        (one,) = good(items(folder / "a.csv", f"text,n\ndog,{cell}\n", "captions"))
        assert one.record.metadata == {"n": value}
        assert type(one.record.metadata["n"]) is type(value)


def test_an_empty_cell_is_nothing(folder: Path) -> None:
    (one,) = good(items(folder / "a.csv", "id,text,n\n,dog,\n", "captions"))

    assert (one.record.id, one.record.metadata) == ("dog", {})


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('{"path": "../secret.png"}', "leads out of"),
        ('{"path": "/etc/hostname"}', "leads out of"),
        ('{"path": "."}', "leads out of"),
        ('{"path": "im/dog.png\\u0000"}', "NUL"),
        ('{"path": "im"}', "is no file"),
        ('{"path": "im/none.png"}', "No such file"),
        ('{"path": 7}', "path is no text"),
        ('{"uri": "https://example.org/dog.png"}', "nothing is downloaded"),
        ('{"caption": "dog"}', "neither path nor uri"),
        ('{"path": "im/dog.png", "id": 1.5}', "id is no text"),
        ('{"path": "im/dog.png", "_source": 1}', "_source is a name"),
        ('{"path": NaN}', "NaN is no number"),
        ('{"path": "im/dog.png"', "no JSON"),
        ('["im/dog.png"]', "no JSON object"),
        ("[" * 100_000, "nested too deep"),
        ('"' + "x" * MAX_ROW + '"', "more than"),
    ],
)
def test_a_bad_row_is_told_and_the_next_one_is_read(folder: Path, row: str, why: str) -> None:
    found = items(folder / "a.jsonl", f'{row}\n{{"path": "im/dog.png"}}\n')

    bad, dog = found
    assert isinstance(bad, Bad)
    assert isinstance(dog, Item)
    assert why in bad.reason
    assert bad.where == "a.jsonl:1"


def test_an_address_of_the_web_stays_the_uri_where_the_path_is_read(folder: Path) -> None:
    (one,) = good(items(folder / "a.csv", "path,uri\nim/dog.png,https://example.org/dog\n"))

    assert (one.record.id, one.record.uri) == ("im/dog.png", "https://example.org/dog")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("path,path\nim/dog.png,x\n", "2 columns are called 'path'"),
        ("path,\nim/dog.png,x\n", "1 columns are called ''"),
        (",".join(f"c{n}" for n in range(2000)), "2000 columns"),
    ],
)
def test_a_header_that_cannot_be_used_ends_the_table(folder: Path, content: str, why: str) -> None:
    (only,) = reasons(items(folder / "a.csv", content))
    assert why in only


def test_rows_of_another_length(folder: Path) -> None:
    found = items(folder / "a.csv", "path,n\nim/dog.png\nim/cat.png,1,2\nim/apple.png,3\n\n")

    assert reasons(found) == ["there are 1 values for 2 columns", "there are 3 values for 2 columns"]
    assert isinstance(found[-1], Item)


def test_a_quote_that_is_not_closed_does_not_swallow_the_rest(folder: Path) -> None:
    rows = "".join(f"dog,{n}\n" for n in range(50_000))
    found = items(folder / "a.csv", f'text,id\n"cat,1\n{rows}', "captions")

    assert len(reasons(found)) < 5
    assert sum(isinstance(one, Item) for one in found) > 30_000


def test_what_kinds_a_table_holds_is_seen_in_its_first_row(folder: Path) -> None:
    for content, first in (("path,text\na,b\n", "images"), ("id,text\na,b\n", "captions"), ("", "captions")):
        (folder / "a.csv").write_text(content)
        assert Table(folder / "a.csv").kinds[0] == first


LEAF = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(LEAF | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one), max_leaves=8)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(rows=st.lists(st.dictionaries(NAMES, JSON, max_size=5), max_size=6))
def test_what_json_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, JsonValue]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert [row.values for row in json_lines(path) if isinstance(row, Row)] == rows


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(cells=st.lists(st.tuples(CELL, CELL), max_size=6), delimiter=st.sampled_from(",\t"))
def test_what_csv_writes_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([("id", "text"), *cells])

    found = [row.values for row in separated(path, delimiter) if isinstance(row, Row)]
    expected = [{name: cell for name, cell in zip(("id", "text"), pair, strict=True) if cell} for pair in cells]
    assert found == expected


@given(
    content=st.binary(max_size=300),
    suffix=st.sampled_from(sorted(READERS)),
    kind=st.sampled_from(("images", "captions")),
)
def test_nothing_that_a_file_may_hold_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str, kind: Kind
) -> None:
    path = tmp_path_factory.mktemp("rows") / f"a{suffix}"
    found = items(path, b"id,text\n" + content if suffix == ".csv" else content, kind)

    for one in found:
        assert one.where.startswith(f"a{suffix}:")
        assert math.isfinite(one.weight)
        if isinstance(one, Item) and all(mark < "\ud800" or mark > "\udfff" for mark in one.record.id):
            assert one.record.caption
