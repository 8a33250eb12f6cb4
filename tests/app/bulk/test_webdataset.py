"""WebDataset tars as items."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.bulk.items import MAX_ROW, STAMP, Bad, Found, Item, Slice
from app.bulk.webdataset import WebDataset
from index.manifest import Kind
from tests.fake_encoder import drawn, spoken
from tests.peak_memory import peak_of

Members = Sequence[tuple[str, bytes]]


def make(path: Path, members: Members) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def read(path: Path, members: Members, kind: Kind = "images") -> list[Found]:
    return list(WebDataset(make(path, members)).items(kind, None))


def one(found: list[Found]) -> Item:
    (only,) = found
    assert isinstance(only, Item), only
    return only


def test_a_sample_is_what_has_one_key(tmp_path: Path) -> None:
    told = json.dumps({"url": "https://example.org/dog", "width": 8}).encode()
    members = [("./sub/1.png", drawn("dog")), ("./sub/1.txt", b" a dog \n"), ("./sub/1.json", told), ("notes.md", b"")]

    item = one(read(tmp_path / "a.tar", members))
    content = item.content
    assert isinstance(content, Slice)
    assert (tmp_path / "a.tar").read_bytes()[content.offset :][: content.size] == drawn("dog")
    assert (item.record.id, item.record.uri, item.record.caption) == ("sub/1", "https://example.org/dog", "a dog")
    assert {name: value for name, value in item.record.metadata.items() if name != STAMP} == {"width": 8}


def test_every_kind_takes_what_it_needs(tmp_path: Path) -> None:
    members = [("1.png", drawn("dog")), ("1.wav", spoken("dog")), ("1.json", b'{"caption": "a dog"}')]

    for kind, data in (("images", drawn("dog")), ("audio", spoken("dog"))):
        content = one(read(tmp_path / "a.tar", members, kind)).content  # type: ignore[arg-type]
        assert isinstance(content, Slice)
        assert content.size == len(data)
    text = one(read(tmp_path / "a.tar", members, "captions"))
    assert (text.content, text.record.caption, text.record.metadata) == (None, "a dog", {})


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([("1.txt", b"dog")], "there is none of .bmp"),
        ([("1.png", drawn("dog")), ("1.json", b"[]")], "no JSON object"),
        ([("1.png", drawn("dog")), ("1.txt", b"\xff")], "not UTF-8"),
        ([("1.png", drawn("dog")), ("1.txt", bytes(MAX_ROW + 1))], "are the most"),
        ([("1.png", drawn("dog")), ("1.json", b'{"_source": 1}')], "keeps for itself"),
        ([("../1.png", drawn("dog"))], "leads out of the tar"),
        ([("/etc/1.png", drawn("dog"))], "leads out of the tar"),
        ([("a/../../1.png", drawn("dog"))], "leads out of the tar"),
    ],
)
def test_a_bad_sample_is_told_and_the_next_one_is_read(tmp_path: Path, members: Members, why: str) -> None:
    bad, good = read(tmp_path / "a.tar", [*members, ("2.png", drawn("cat"))])

    assert isinstance(bad, Bad)
    assert why in bad.reason
    assert isinstance(good, Item)
    assert good.record.id == "2"


def test_a_tar_that_broke_off_gives_what_is_there(tmp_path: Path) -> None:
    path = make(tmp_path / "a.tar", [("1.png", drawn("dog")), ("2.png", drawn("cat")), ("3.png", drawn("apple"))])
    path.write_bytes(path.read_bytes()[: 512 * 4 + 20])

    *good, bad = sorted(WebDataset(path).items("images", None), key=lambda found: isinstance(found, Bad))
    assert isinstance(bad, Bad)
    assert "from here on it cannot be read" in bad.reason
    assert [found.record.id for found in good if isinstance(found, Item)] == ["1", "2"]


def test_a_record_changes_when_its_tar_does(tmp_path: Path) -> None:
    before = one(read(tmp_path / "a.tar", [("1.png", drawn("dog"))]))

    after = one(read(tmp_path / "a.tar", [("0.txt", b""), ("1.png", drawn("dog"))][1:]))
    assert before.record.id == after.record.id
    assert before.record != after.record


def test_weights_are_the_bytes_of_the_tar(tmp_path: Path) -> None:
    source = WebDataset(make(tmp_path / "a.tar", [(f"{n}.png", drawn("dog", size=(n + 1, 9))) for n in range(50)]))

    weight = sum(found.weight for found in source.items("images", None))
    assert 0.7 * source.size() < weight <= source.size()


def test_a_tar_of_ten_gigabytes_is_read_in_little_memory(tmp_path: Path) -> None:
    """Most of it is a hole, which an image is said to fill."""
    large, small = tarfile.TarInfo("1.png"), tarfile.TarInfo("2.png")
    large.size, small.size = 10 << 30, 4
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(large.tobuf(tarfile.GNU_FORMAT))
        file.seek(large.size, 1)
        file.write(small.tobuf(tarfile.GNU_FORMAT) + b"data".ljust(512, b"\0") + bytes(1024))

    peak = peak_of(
        "from pathlib import Path\nfrom app.bulk.decoding import Budget, Decoder\n"
        "from app.bulk.webdataset import WebDataset\nfrom tests.fake_encoder import FakeEncoder",
        f"found = list(WebDataset(Path({str(tmp_path / 'a.tar')!r})).items('images', None))\n"
        "outcomes = [Decoder('images', FakeEncoder(), 1.0, Budget())(one).reason for one in found]\n"
        "assert 'are the most' in outcomes[0] and 'no readable image' in outcomes[1], outcomes",
    )
    assert peak.all - peak.before < 32 << 20
