"""A file is trusted as long as nobody has touched it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from index.seals import Seals


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"whole")
    return path


def rewrite(path: Path) -> None:
    path.write_bytes(b"whole")


def put_back(path: Path) -> None:
    """Another file with the same content and times."""
    shutil.copy2(path, path.with_name("copy"))
    os.replace(path.with_name("copy"), path)


def set_times_back(path: Path) -> None:
    facts = path.stat()
    path.write_bytes(b"w-ole")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_a_sealed_file_is_trusted_also_later(tmp_path: Path, file: Path) -> None:
    Seals(tmp_path).put([file])
    file.read_bytes()
    assert Seals(tmp_path).hold(file)


@pytest.mark.parametrize("touch", [rewrite, put_back, set_times_back, Path.unlink])
def test_whoever_touches_a_file_breaks_its_seal(tmp_path: Path, file: Path, touch: Callable[[Path], None]) -> None:
    Seals(tmp_path).put([file])
    touch(file)
    assert not Seals(tmp_path).hold(file)


def test_only_what_was_sealed_last_is(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"")
    seals = Seals(tmp_path)
    seals.put([file])
    seals.put([other])
    assert (seals.hold(file), seals.hold(other)) == (False, True)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"files": {"file": 7}, "checksum": 0}']
)
def test_damaged_seals_seal_nothing(tmp_path: Path, file: Path, content: bytes) -> None:
    Seals(tmp_path).put([file])
    (tmp_path / "seals.json").write_bytes(content)
    assert not Seals(tmp_path).hold(file)


def test_every_changed_bit_of_them_seals_nothing_or_the_same(tmp_path: Path, file: Path) -> None:
    Seals(tmp_path).put([file])
    whole = (tmp_path / "seals.json").read_bytes()
    for place in range(len(whole)):
        (tmp_path / "seals.json").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not Seals(tmp_path).hold(file), place


def test_what_cannot_be_sealed_is_not(tmp_path: Path, file: Path) -> None:
    seals = Seals(tmp_path)
    seals.put([file, tmp_path / "missing"])
    assert not seals.hold(file)
    Seals(tmp_path / "nowhere").put([file])
