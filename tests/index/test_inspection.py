"""Collections looked at from outside, whoever has them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from index import inspection
from index.inspection import existing, inspect, is_writable
from index.records import Record
from index.store import Store
from tests.patience import WAIT_S

ROOT = Path(__file__).resolve().parents[2]


def fill(root: Path, name: str = "shoes", count: int = 3) -> None:
    vectors = np.eye(4, dtype=np.float32)[:count]
    with Store(root).create(name, "images", 4, "ab" * 32) as collection:
        collection.add([Record(str(number)) for number in range(count)], vectors)


def state_of(root: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and the time of its last change."""
    found = {path: path.stat() for path in root.rglob("*")}
    return {str(path): (facts.st_size, facts.st_mtime_ns) for path, facts in found.items()}


def test_a_closed_collection_tells_its_records_and_stays_as_it_is(tmp_path: Path) -> None:
    fill(tmp_path)
    before = state_of(tmp_path)
    (one,) = inspect(tmp_path)

    assert (one.name, one.kind, one.count, one.fingerprint) == ("shoes", "images", 3, "ab" * 32)
    assert (one.in_use, one.closed_well, one.whole, one.problem) == (False, True, True, None)
    assert state_of(tmp_path) == before


def test_no_folder_is_no_collection_and_none_is_made(tmp_path: Path) -> None:
    assert inspect(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_one_that_is_open_is_in_use_and_not_disturbed(tmp_path: Path) -> None:
    fill(tmp_path)
    with Store(tmp_path).open("shoes") as collection:
        collection.add([Record("new")], np.eye(4, dtype=np.float32)[:1])
        before = state_of(tmp_path)
        (one,) = inspect(tmp_path)
        assert state_of(tmp_path) == before
        assert collection.count == 4

    assert (one.in_use, one.count, one.problem) == (True, None, None)


def test_one_whose_process_was_killed_is_known_by_its_log(tmp_path: Path) -> None:
    program = (
        "import os, sys, numpy as np; from index.store import Store; from index.records import Record\n"
        "from pathlib import Path; one = Store(Path(sys.argv[1])).create('shoes', 'images', 4, 'ab')\n"
        "one.add([Record('a')], np.eye(4, dtype=np.float32)[:1]); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, timeout=WAIT_S, check=False)
    (one,) = inspect(tmp_path)

    assert (one.in_use, one.closed_well, one.problem) == (False, False, None)


def test_a_missing_index_is_noticed(tmp_path: Path) -> None:
    fill(tmp_path)
    for path in (tmp_path / "shoes").glob("index-*"):
        path.unlink()

    assert [one.whole for one in inspect(tmp_path)] == [False]


@pytest.mark.parametrize("damaged", ["manifest.json", "records.sqlite"])
@pytest.mark.parametrize("how", ["gone", "empty", "noise", "cut"])
def test_damage_is_a_problem_of_one_collection(tmp_path: Path, damaged: str, how: str) -> None:
    fill(tmp_path)
    fill(tmp_path, "other")
    file = tmp_path / "shoes" / damaged
    content = file.read_bytes()
    file.unlink()
    if how != "gone":
        file.write_bytes({"empty": b"", "noise": b"\xff" * len(content), "cut": content[: len(content) // 2]}[how])

    problems = {one.name: one.problem for one in inspect(tmp_path)}
    assert problems["other"] is None
    assert problems["shoes"]


def test_large_records_are_counted_without_being_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    monkeypatch.setattr(inspection, "MOST_BYTES_READ", 1)

    assert [one.count for one in inspect(tmp_path)] == [3]


def test_what_is_no_collection_is_passed_over(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "shoes")
    (tmp_path / ".shoes.new").mkdir()
    (tmp_path / "file").write_text(json.dumps({}))

    assert [one.name for one in inspect(tmp_path)] == ["shoes"]


def test_where_the_system_does_not_tell_of_locks_nothing_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "LOCKS", tmp_path / "none")
    fill(tmp_path / "data")

    assert [one.in_use for one in inspect(tmp_path / "data")] == [False]


def test_a_folder_that_is_not_there_is_as_writable_as_the_one_above(tmp_path: Path) -> None:
    assert existing(tmp_path / "a" / "b") == tmp_path
    assert is_writable(tmp_path / "a" / "b")
