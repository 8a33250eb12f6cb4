"""A checkpoint's archive says one thing only, whoever reads it; anything else is refused before a tensor is touched."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.errors import CheckpointError
from models.official.archive import read_archive

END, END64, LOCATOR = 22, 56, 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.ckpt"
    torch.save({"a": torch.arange(100.0), "b": torch.arange(7)}, path)
    return path


def spoil(path: Path, change: Callable[[bytearray], object]) -> Path:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def write_zip(path: Path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_archive(path)
    return str(caught.value)


def test_every_member_is_found_where_torch_finds_it(path: Path) -> None:
    archive = read_archive(path)

    assert archive.pickled.startswith(b"\x80\x02")
    on_meta = torch.load(path, map_location="meta", weights_only=True)
    for tensor in on_meta.values():
        storage = tensor.untyped_storage()
        assert archive.sizes[storage._checkpoint_offset] == storage.nbytes()
    data = bytearray(path.read_bytes())
    offset = on_meta["a"].untyped_storage()._checkpoint_offset
    assert torch.equal(torch.frombuffer(data, dtype=torch.float32, count=100, offset=offset), torch.arange(100.0))


def test_a_link_to_a_checkpoint_is_one(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(path)

    assert read_archive(tmp_path / "link") == read_archive(path)


def test_what_is_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("none", "pipe", "loop", "."):
        assert "no checkpoint" in refusal(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6" + bytes(18), b"PK\5\6" + bytes(17), b"\x80\x02}." * 99])
def test_what_is_no_archive_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    assert "broke off" in refusal(path) or "0 files named data.pkl" in refusal(path)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_download_that_broke_off_is_refused(path: Path, kept: float) -> None:
    spoil(path, lambda data: data.__delitem__(slice(int(len(data) * kept), None)))

    assert "broke off" in refusal(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.extend(b"\0"),  # something after the end
        lambda data: data.__setitem__(slice(-2, None), b"\1\0"),  # a comment that is not there
        lambda data: data.__setitem__(slice(0, 0), b"#!/bin/sh\n"),  # something before the start
        lambda data: data.__setitem__(-END - LOCATOR - 8, 0xFF),  # the start of the directory
        lambda data: data.__setitem__(-END - LOCATOR - END64, 0),  # no 64-bit end where one is announced
        lambda data: data.__setitem__(-END - LOCATOR + 8, data[-END - LOCATOR + 8] ^ 1),  # one that is elsewhere
    ],
)
def test_a_directory_that_two_readers_might_find_in_two_places_is_refused(
    path: Path, change: Callable[[bytearray], object]
) -> None:
    assert "broke off" in refusal(spoil(path, change))


def test_a_second_directory_hidden_in_the_first_is_refused(path: Path, tmp_path: Path) -> None:
    """A reader that looks for an end from the front would see the inner archive."""
    inner, outer = path.read_bytes(), write_zip(tmp_path / "outer.ckpt", ("archive/data.pkl", b"."))
    outer.write_bytes(inner + outer.read_bytes())

    assert "broke off" in refusal(outer)


def test_a_name_that_is_there_twice_is_refused(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_zip(path, ("a/data.pkl", b"."), ("a/data/0", b"1234"), ("a/data/0", b"5678"))

    assert "it has a/data/0 twice" in refusal(path)


@pytest.mark.parametrize("names", [[], ["a/data.pkl", "b/data.pkl"], ["a/xdata.pkl"]])
def test_there_is_one_pickle(path: Path, names: list[str]) -> None:
    write_zip(path, *((name, b".") for name in (*names, "other")))

    assert "files named data.pkl" in refusal(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_would_inflate_is_refused_uninflated(path: Path, compression: int) -> None:
    write_zip(path, ("a/data.pkl", b"."), compression=compression)
    assert "a/data.pkl is compressed" in refusal(path)

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b".")
        archive.writestr("a/version", bytes(200 << 20), compress_type=compression, compresslevel=1)
    assert path.stat().st_size < 2 << 20
    assert "a/version is compressed" in refusal(path)


def test_a_pickle_of_many_megabytes_is_not_read(path: Path) -> None:
    write_zip(path, ("a/data.pkl", bytes((16 << 20) + 1)))

    assert "16,777,217 bytes of pickle" in refusal(path)


def test_a_directory_of_many_megabytes_is_not_read(path: Path) -> None:
    write_zip(path, ("a/data.pkl", b"."), *(("x" * 60_000 + str(place), b"") for place in range(300)))

    assert "bytes of directory" in refusal(path)


def test_an_encrypted_member_is_refused(path: Path) -> None:
    write_zip(path, ("a/data.pkl", b"."))
    spoil(path, lambda data: data.__setitem__(data.index(b"PK\1\2") + 8, 1))

    assert "a/data.pkl is compressed" in refusal(path)


def directory_field(data: bytearray, name: bytes, offset: int) -> int:
    """Where a field of a member's entry in the directory is."""
    return data.rindex(name) - 46 + offset


def test_sizes_that_lie_are_refused(path: Path) -> None:
    """A member may not reach into the next one, nor beyond the file."""
    for size in (b"\xff\xff\x00\x00", b"\xff\xff\xff\x7f"):
        write_zip(path, ("a/data.pkl", b"."), ("a/data/0", b"1234"), ("a/data/1", b"1234"))

        def enlarge(data: bytearray, size: bytes = size) -> None:
            at = directory_field(data, b"a/data/0", 20)
            data[at : at + 8] = size * 2

        assert "is not where its directory says" in refusal(spoil(path, enlarge))


def test_a_pickle_that_would_go_beyond_the_file_is_refused(path: Path) -> None:
    write_zip(path, ("a/data.pkl", b"."))

    def enlarge(data: bytearray) -> None:
        at = directory_field(data, b"a/data.pkl", 20)
        data[at : at + 8] = b"\xff\xff\x00\x00" * 2

    assert "it ends too early" in refusal(spoil(path, enlarge))


def test_members_in_the_same_place_are_refused(path: Path) -> None:
    write_zip(path, ("a/data.pkl", b"."), ("a/data/0", b"1234"), ("a/data/1", b"1234"))

    def move(data: bytearray) -> None:
        first, second = (directory_field(data, name, 42) for name in (b"a/data/0", b"a/data/1"))
        data[second : second + 4] = data[first : first + 4]

    assert "is not where its directory says" in refusal(spoil(path, move))


def test_a_member_that_calls_itself_otherwise_is_refused(path: Path) -> None:
    write_zip(path, ("a/data.pkl", b"."), ("a/data/0", b"1234"))
    spoil(path, lambda data: data.__setitem__(data.index(b"a/data/0") + 7, ord("1")))

    assert "a/data/0 is not where its directory says" in refusal(path)


def test_links_in_the_archive_are_never_followed(path: Path) -> None:
    entry = zipfile.ZipInfo("a/data.pkl")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, b"/etc/passwd")

    assert read_archive(path).pickled == b"/etc/passwd"


@pytest.mark.parametrize("order", [b"big", b"", b"l" * 1000])
def test_numbers_in_another_byte_order_are_refused(path: Path, order: bytes) -> None:
    write_zip(path, ("a/data.pkl", b"."), ("a/byteorder", order))

    assert "not in little-endian order" in refusal(path)


def test_any_flipped_byte_is_refused_or_outside_of_what_is_read(path: Path) -> None:
    data, sound = path.read_bytes(), read_archive(path)
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            archive = read_archive(path)
        except CheckpointError:
            continue
        assert archive == sound


def test_the_layouts_are_those_of_the_zip_format() -> None:
    assert struct.calcsize("<4s4H2LH") == END
    assert struct.calcsize("<4sQ2H2L4Q") == END64
    assert struct.calcsize("<4sLQL") == LOCATOR
