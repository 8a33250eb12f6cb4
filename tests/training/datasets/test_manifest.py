"""A corpus of anybody's own, as a table."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.training.datasets.tiny_corpora import picture, recording, write
from training.datasets import Dataset, open_dataset
from training.errors import DatasetError

HEADER = ["audio", "image", "text", "split"]
ROWS = [
    ["speech/a.wav", "images/cat.png", "a cat, sleeping", "train"],
    ["speech/b.wav", "images/dog.png", 'a dog saying "woof"', "train"],
    ["speech/c.wav", "images/cat.png", "the cat again", "test"],
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        write(tmp_path / "speech" / f"{name}.wav", recording())
    for name in ("cat", "dog"):
        write(tmp_path / "images" / f"{name}.png", picture("png"))
    return tmp_path


def write_table(path: Path, rows: Sequence[Sequence[str]] = ROWS, header: Sequence[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, "excel-tab" if path.suffix == ".tsv" else "excel")
        table.writerows([header, *rows])
    return path


def write_lines(path: Path, *rows: object) -> Path:
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def read(path: Path, split: str = "train") -> Dataset:
    return open_dataset("manifest", path, split)


def said(dataset: Dataset) -> Iterator[tuple[str, str, int, str | None]]:
    return ((pair.utterance, pair.image.name, pair.image_id, pair.text) for pair in dataset.pairs)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_every_kind_of_table_says_the_same(root: Path, suffix: str) -> None:
    path = root / f"my{suffix}"
    if suffix == ".jsonl":
        write_lines(path, *(dict(zip(HEADER, row, strict=True)) for row in ROWS))
    else:
        write_table(path)

    train, test = read(path), read(path, "test")

    assert list(said(train)) == [
        ("speech/a.wav", "images/cat.png", 0, "a cat, sleeping"),
        ("speech/b.wav", "images/dog.png", 1, 'a dog saying "woof"'),
    ]
    assert list(said(test)) == [("speech/c.wav", "images/cat.png", 0, "the cat again")]
    assert train.pairs[0].audio.read() == recording()
    assert train.pairs[0].image.read() == picture("png")
    assert (train.name, train.split, train.missing) == ("manifest", "train", [])


def test_the_table_may_be_named_by_its_folder(root: Path) -> None:
    write_table(root / "manifest.csv")
    assert len(read(root).pairs) == 2

    write_table(root / "manifest.tsv")
    with pytest.raises(DatasetError, match=r"has 2 files manifest\.\*"):
        read(root)


def test_a_table_without_splits_is_one(root: Path) -> None:
    path = write_table(root / "my.csv", [row[:2] for row in ROWS], HEADER[:2])

    assert [pair.text for pair in read(path, "all").pairs] == [None] * 3
    with pytest.raises(DatasetError, match="no split 'train'; there are all"):
        read(path)


def test_other_columns_in_any_order_and_a_byte_order_mark_do_no_harm(root: Path) -> None:
    text = "speaker,split,image,audio\r\nann,train,images/cat.png,./speech//a.wav\r\n"
    path = write(root / "my.csv", b"\xef\xbb\xbf" + text.encode())

    assert list(said(read(path))) == [("speech/a.wav", "images/cat.png", 0, None)]


def test_rows_whose_files_are_missing_are_left_out_and_each_file_is_listed_once(root: Path) -> None:
    extra = [["speech/x.wav", "images/x.png", "", "train"], ["speech/y.wav", "images/x.png", "", "train"]]
    extra += [["images", "images/cat.png", "", "train"], ["speech/a.wav/b", "images/cat.png", "", "train"]]

    dataset = read(write_table(root / "my.csv", [*ROWS, *extra]))

    assert len(dataset.pairs) == 2
    assert dataset.missing == ["speech/x.wav", "images/x.png", "speech/y.wav", "images", "speech/a.wav/b"]


def test_a_recording_of_two_images_is_two_utterances_and_a_row_that_is_there_again_is_none(root: Path) -> None:
    extra = [["speech/a.wav", "images/dog.png", "", "train"], ["./speech/a.wav", "images/cat.png", "", "train"]]

    dataset = read(write_table(root / "my.csv", [*ROWS, *extra]))

    assert [pair.utterance for pair in dataset.pairs] == ["speech/a.wav", "speech/b.wav", "speech/a.wav#2"]
    assert dataset.duplicates == ["my.csv:6: speech/a.wav"]


@pytest.mark.parametrize("path", ["../a.wav", "/etc/passwd", "speech/../../a.wav", "", ".", "a\0b"])
def test_paths_out_of_the_tables_folder_are_refused(root: Path, path: str) -> None:
    table = write_lines(root / "my.jsonl", {"audio": path, "image": "images/cat.png"})

    with pytest.raises(DatasetError, match=r"my\.jsonl:1 (names|has no audio)"):
        read(table, "all")


def test_links_out_of_the_tables_folder_are_followed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("disk")
    write(elsewhere / "far.wav", recording())
    (root / "linked").symlink_to(elsewhere)

    dataset = read(write_table(root / "my.csv", [["linked/far.wav", "images/cat.png", "", "train"]]))

    assert dataset.pairs[0].audio.read() == recording()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "has no column audio"),
        ("audio,text\na,b\n", "has no column image"),
        ("audio,image,audio\na,b,c\n", "has 2 columns audio"),
        ("audio,image\n", "has no rows"),
        ("audio,image\na.wav\n", "my.csv:2 has 1 values for 2 columns"),
        ("audio,image\na.wav,b.png,c\n", "my.csv:2 has 3 values for 2 columns"),
        ('audio,image\na.wav,"b.png\n', "my.csv:2 cannot be read"),
        ("audio,image\na.wav,\n", "my.csv:2 has no image"),
        ("audio,image,split\na.wav,b.png,train\na.wav,b.png,\n", "my.csv:3 has no split, and others have one"),
        ("audio,image\n" + "a" * 200_000 + ",b\n", "field larger than field limit"),
        (b"audio,image\n\xff.wav,b.png\n", "is not UTF-8 text: byte 12"),
    ],
)
def test_a_table_that_cannot_be_understood_is_one_sentence(root: Path, content: str | bytes, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read(write(root / "my.csv", content))


@pytest.mark.parametrize(
    "line", ["{", "[]", "3", '{"audio": 1, "image": "a"}', '{"image": "a"}', "[" * 100_000, '{"audio": "\\ud800"}']
)
def test_a_line_that_is_no_row_is_told_with_its_number(root: Path, line: str) -> None:
    path = write(root / "my.jsonl", f'{{"audio": "speech/a.wav", "image": "images/cat.png"}}\n\n{line}\n')

    with pytest.raises(DatasetError, match=r"my\.jsonl:3 is not as it should be"):
        read(path, "all")


def test_files_of_other_kinds_and_absent_ones_are_told(root: Path) -> None:
    with pytest.raises(DatasetError, match=r"is none of \.csv, \.tsv, \.jsonl, \.parquet"):
        read(write(root / "my.xlsx", "x"))
    with pytest.raises(DatasetError, match=r"has 0 files manifest\.\*"):
        read(root)
    with pytest.raises(DatasetError, match="there is no "):
        read(root / "nowhere.csv")
