"""A file is trusted as long as nobody has touched it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from index.durable.seals import Seals


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"whole")
    return path


@pytest.fixture
def sealed(tmp_path: Path, file: Path) -> Path:
    """The folder."""
    seals = Seals(tmp_path)
    seals.put("file")
    seals.write(["file"])
    return tmp_path


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


def test_a_sealed_file_is_trusted_also_later(sealed: Path, file: Path) -> None:
    file.read_bytes()
    assert Seals(sealed).hold("file")
    assert not Seals(sealed).hold("other")


@pytest.mark.parametrize("touch", [rewrite, put_back, set_times_back, Path.unlink])
def test_whoever_touches_a_file_breaks_its_seal(sealed: Path, file: Path, touch: Callable[[Path], None]) -> None:
    touch(file)
    assert not Seals(sealed).hold("file")


def test_what_is_touched_after_it_was_sealed_and_before_that_was_written_is_not_trusted(sealed: Path) -> None:
    seals = Seals(sealed)
    rewrite(sealed / "file")
    seals.write(["file"])
    assert not Seals(sealed).hold("file")


def test_only_what_is_named_is_remembered(sealed: Path) -> None:
    (sealed / "other").write_bytes(b"")
    seals = Seals(sealed)
    seals.put("other")
    seals.write(["other", "unknown"])
    assert (Seals(sealed).hold("file"), Seals(sealed).hold("other")) == (False, True)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"files": {"file": 7}, "checksum": 0}']
)
def test_damaged_seals_seal_nothing(sealed: Path, content: bytes) -> None:
    (sealed / "seals.json").write_bytes(content)
    assert not Seals(sealed).hold("file")


def test_every_changed_bit_of_them_seals_nothing(sealed: Path) -> None:
    whole = (sealed / "seals.json").read_bytes()
    for place in range(len(whole)):
        (sealed / "seals.json").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not Seals(sealed).hold("file"), place


def test_what_cannot_be_sealed_is_not(tmp_path: Path) -> None:
    seals = Seals(tmp_path)
    seals.put("missing")
    seals.write(["missing"])
    assert not seals.hold("missing")
    Seals(tmp_path / "nowhere").write([])
