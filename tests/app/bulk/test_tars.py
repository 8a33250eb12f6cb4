"""The members of tar files: whole, damaged and hostile ones."""

from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bulk.tars import DamagedTar, Member, members
from tests.peak_memory import peak_of

MIB = 1024 * 1024


def add(tar: tarfile.TarFile, name: str, data: bytes = b"data") -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def make(path: Path, names: list[str], format: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=format) as tar:
        for name in names:
            add(tar, name, name.encode())
    return path


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_are_where_they_are_said_to_be(tmp_path: Path, format: int) -> None:
    names = ["a.png", "sub/b.txt", f"{'long' * 20}/c.json"]
    path = make(tmp_path / "a.tar", names, format)

    found = list(members(path))
    data = path.read_bytes()
    assert [one.name for one in found] == names
    assert [data[one.offset : one.offset + one.size].decode() for one in found] == names


def test_what_is_no_file_has_a_problem(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for type, name in ((tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "hard"), (tarfile.FIFOTYPE, "pipe")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = type, "/etc/passwd"
            tar.addfile(info)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)

    assert {one.name: one.problem.split(":")[0] for one in members(tmp_path / "a.tar")} == {
        "link": "it is a link", "hard": "it is a link", "pipe": "it is no file"
    }  # fmt: skip


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("sparse.png")
        info.pax_headers = {"GNU.sparse.size": "1000000000000", "GNU.sparse.map": "0,4"}
        info.size = 4
        tar.addfile(info, io.BytesIO(b"data"))

    (only,) = members(tmp_path / "a.tar")
    assert only.problem.startswith("it is a sparse file")


def until_damage(path: Path) -> list[Member]:
    found = list[Member]()
    with pytest.raises(DamagedTar):
        found.extend(members(path))
    return found


def test_what_comes_before_the_damage_is_found(tmp_path: Path) -> None:
    path = make(tmp_path / "a.tar", ["a", "b", "c"])
    whole = path.read_bytes()

    for cut, count in ((512 * 5, 2), (512 * 4 + 100, 2), (512 * 4, 2), (512 + 1, 1), (512, 0), (100, 0)):
        path.write_bytes(whole[:cut])
        assert len(until_damage(path)) == count
    path.write_bytes(whole[: 512 * 2] + b"\xff" * 512 + whole[512 * 3 :])
    assert [one.name for one in until_damage(path)] == ["a"]


def test_a_header_without_end_takes_no_memory(tmp_path: Path) -> None:
    """A name of hundreds of megabytes, and a list of holes as long."""
    named = tarfile.TarInfo("././@LongLink")
    named.type, named.size = tarfile.GNUTYPE_LONGNAME, 300 * MIB
    holes = tarfile.TarInfo("sparse")
    holes.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x"}
    holes.size = 300 * MIB
    for name, info in (("named", named), ("holes", holes)):
        with (tmp_path / f"{name}.tar").open("wb") as file:
            file.write(info.tobuf(tarfile.PAX_FORMAT if name == "holes" else tarfile.GNU_FORMAT))
            file.write(b"100000000\n" + b"7\n" * 1_000_000)
            file.truncate(400 * MIB)

    peak = peak_of(
        "from pathlib import Path\nfrom app.bulk.tars import DamagedTar, members",
        f"for name in ('named', 'holes'):\n    try:\n        list(members(Path({str(tmp_path)!r}, name + '.tar')))\n"
        "    except DamagedTar:\n        continue\n    raise AssertionError(name)",
    )
    assert peak.all - peak.before < 64 * MIB


@given(content=st.binary(max_size=2000), place=st.integers(0, 3000))
def test_any_bytes_end_in_members_or_damage(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, place: int
) -> None:
    path = make(tmp_path_factory.mktemp("tar") / "a.tar", ["a.png", "b.txt"])
    data = path.read_bytes()
    path.write_bytes(data[:place] + content + data[place + len(content) :])
    size = path.stat().st_size

    with suppress(DamagedTar):
        assert all(0 <= one.offset <= one.end <= size for one in members(path))
