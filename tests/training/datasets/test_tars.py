"""Tar files: what is whole is found, and damage is told."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.datasets.tiny_corpora import tar_of, write
from training.datasets.sources import FileSource, TarSource
from training.datasets.tars import Contents, contents
from training.errors import DatasetError

FILES = [("a.txt", b"first"), ("b/c.txt", b"x" * 1000), ("d.txt", b""), ("e.txt", b"last")]


def of(tmp_path: Path, data: bytes) -> Contents:
    return contents(write(tmp_path / "my.tar", data))


def test_members_are_found_where_they_lie(tmp_path: Path) -> None:
    found = of(tmp_path, tar_of(FILES))

    assert found.damage is None
    assert [member.name for member in found.members] == [name for name, _ in FILES]
    sources = [TarSource(FileSource(tmp_path, "my.tar"), it.name, it.offset, it.size) for it in found.members]
    assert [source.read() for source in sources] == [data for _, data in FILES]
    assert sources[1].name == "my.tar/b/c.txt"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_every_format_are_read(tmp_path: Path, form: int) -> None:
    file, name = BytesIO(), "folder/" * 20 + "ä.txt"
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        info = tarfile.TarInfo(name)
        info.size = 5
        tar.addfile(info, BytesIO(b"first"))

    (member,) = of(tmp_path, file.getvalue()).members

    assert member.name == name
    assert file.getvalue()[member.offset :].startswith(b"first")


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("it")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        tar.addfile(tarfile.TarInfo("file"))

    assert [member.name for member in of(tmp_path, file.getvalue()).members] == ["file"]


def test_names_that_are_not_utf8_get_escapes(tmp_path: Path) -> None:
    data = bytearray(tar_of([("??.txt", b"x")]))
    data[:2] = b"\xff\x1b"
    total = sum(data[:148]) + 8 * 32 + sum(data[156:512])
    data[148:156] = b"%06o\0 " % total

    assert [member.name for member in of(tmp_path, bytes(data)).members] == ["\\udcff\\x1b.txt"]


def test_a_tar_that_broke_off_keeps_what_is_whole_and_says_so(tmp_path: Path) -> None:
    whole = tar_of(FILES)
    end = len(whole.rstrip(b"\0"))  # of the last member's data

    for size in range(0, end, 100):
        found = of(tmp_path, whole[:size])
        assert found.damage
        for member, (name, data) in zip(found.members, FILES, strict=False):
            assert (member.name, whole[member.offset : member.offset + member.size]) == (name, data)
            assert member.offset + member.size <= size


@pytest.mark.parametrize("data", [b"", b"no tar", b"\x1f\x8b" + b"x" * 2000, b"x" * 512, b"\xff" * 5000])
def test_what_is_no_tar_is_damage(tmp_path: Path, data: bytes) -> None:
    found = of(tmp_path, data)

    assert found.members == []
    assert found.damage


def test_an_empty_tar_is_whole(tmp_path: Path) -> None:
    assert of(tmp_path, tar_of([])) == Contents([], None)


def test_a_chain_of_long_names_is_damage(tmp_path: Path) -> None:
    link = tarfile.TarInfo("././@LongLink")
    link.type = tarfile.GNUTYPE_LONGNAME

    assert of(tmp_path, link.tobuf(tarfile.GNU_FORMAT) * 5000).damage


@pytest.mark.parametrize("size", [1 << 40, (1 << 60) + 5, -512, -(1 << 40)])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_impossible_sizes_are_damage_and_cost_nothing(tmp_path: Path, size: int, kind: bytes) -> None:
    info = tarfile.TarInfo("it")
    info.type, info.size = kind, size
    data = info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)

    found = of(tmp_path, data)

    assert found.members == []
    assert found.damage


@settings(max_examples=50, deadline=None)
@given(places=st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), min_size=1, max_size=6))
def test_whatever_is_damaged_members_lie_within_the_file(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]]
) -> None:
    data = bytearray(tar_of(FILES))
    for place, value in places:
        data[place % len(data)] = value

    found = of(tmp_path_factory.getbasetemp(), bytes(data))

    assert all(it.offset >= 0 and it.size >= 0 and it.offset + it.size <= len(data) for it in found.members)


def test_a_tar_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.tar cannot be read"):
        contents(tmp_path / "absent.tar")


def test_a_member_that_is_gone_later_is_one_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "my.tar", tar_of(FILES))
    source = TarSource(FileSource(tmp_path, "my.tar"), "b/c.txt", 1536, 1000)

    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DatasetError, match=r"my\.tar/b/c\.txt broke off: 464 of 1,000 bytes"):
        source.read()

    path.unlink()
    with pytest.raises(DatasetError, match=r"my\.tar/b/c\.txt cannot be read: No such file"):
        source.read()
