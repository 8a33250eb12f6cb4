"""Arrays on disk, whatever happens to them there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.published.errors import TrainingError
from training.published.features.records import Made, Records


def opened(folder: Path) -> Records:
    return Records(folder / "some.thing", np.int16)


def made(number: int) -> Made:
    return Made(np.full((2, number + 1, 3), number, np.int16), 100 * number)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the arrays 0, 1 and 2, of which the last came in a batch of its own."""
    records = opened(tmp_path)
    records.add({"0": made(0), "1": made(1)})
    records.add({"2": made(2)})
    return tmp_path


def whole(records: Records, *numbers: int) -> bool:
    same = [np.array_equal(records.read(str(number)), made(number).array) for number in numbers]
    return all(same) and len(records) == len(numbers)


def test_what_was_added_is_there_for_others(folder: Path) -> None:
    records = opened(folder)

    assert whole(records, 0, 1, 2)
    assert [records.length(key) for key in "012"] == [0, 100, 200]
    assert "2" in records
    assert "3" not in records


def test_what_is_written_to_an_array_stays_in_memory(folder: Path) -> None:
    array = opened(folder).read("1")
    array[:] = 7

    assert whole(opened(folder), 0, 1, 2)


@pytest.mark.parametrize("left", [0, 1, 10, 20, -1])
def test_a_line_that_broke_off_is_as_if_it_had_never_been(folder: Path, left: int) -> None:
    journal = folder / "some.thing.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:left])
    records = opened(folder)

    assert whole(records, 0, 1)
    records.add({"2": made(2), "3": made(3)})
    assert whole(opened(folder), 0, 1, 2, 3)


def test_arrays_without_a_line_are_overwritten(folder: Path) -> None:
    with (folder / "some.thing.data").open("ab") as file:
        file.write(b"half of an array")
    records = opened(folder)
    records.add({"3": made(3)})

    assert whole(opened(folder), 0, 1, 2, 3)


def test_lines_without_their_arrays_do_not_count(folder: Path) -> None:
    data = folder / "some.thing.data"
    data.write_bytes(data.read_bytes()[:-1])
    records = opened(folder)

    assert whole(records, 0, 1)
    records.add({"2": made(2)})
    assert whole(opened(folder), 0, 1, 2)


def test_a_damaged_array_is_an_error_and_no_answer(folder: Path) -> None:
    data = folder / "some.thing.data"
    changed = bytearray(data.read_bytes())
    changed[-1] ^= 1
    data.write_bytes(changed)

    with pytest.raises(TrainingError, match="is damaged; delete it"):
        opened(folder).read("2")


def test_files_that_are_gone_are_an_error(folder: Path) -> None:
    records = opened(folder)
    (folder / "some.thing.data").unlink()

    with pytest.raises(TrainingError, match="cannot be read"):
        records.read("0")
    assert len(opened(folder)) == 0


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "some.thing.data").mkdir()

    with pytest.raises(TrainingError, match="cannot be written"):
        opened(tmp_path).add({"0": made(0)})
