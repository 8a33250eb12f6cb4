"""Lines of any length, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bulk.items import MAX_ROW
from app.bulk.lines import lines
from tests.peak_memory import peak_of

MIB = 1024 * 1024


def texts(path: Path) -> list[str | None]:
    return [line.text for line in lines(path)]


def test_a_byte_order_mark_is_no_text_and_the_last_line_needs_no_end(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\n\ntwo")

    assert texts(tmp_path / "a.txt") == ["one\r\n", "\n", "two"]


def test_what_is_no_utf8_costs_its_own_line_only(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\n\xff\xfe\nthree\n")

    first, second, third = lines(tmp_path / "a.txt")
    assert (second.text, second.problem, second.number) == (None, "it is not UTF-8 text", 2)
    assert (first.text, third.text) == ("one\n", "three\n")


@pytest.mark.parametrize("over", [0, 1, MAX_ROW, 3 * MAX_ROW + 7])
def test_a_line_that_is_too_long_is_passed_over(tmp_path: Path, over: int) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * (MAX_ROW + over) + b"\nnext\n")

    long, after = lines(tmp_path / "a.txt")
    assert (long.text is None) == (over > 0)
    assert long.size == MAX_ROW + over + 1
    assert (after.number, after.text) == (2, "next\n")


@given(content=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_every_byte_belongs_to_a_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    path.write_bytes(content)

    found = list(lines(path))
    assert sum(line.size for line in found) == len(content)
    assert [line.number for line in found] == list(range(1, len(found) + 1))


def test_a_line_without_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(256 * MIB)  # a hole: NUL after NUL, and no line feed
        file.seek(0, 2)
        file.write(b"\nsmall\n")

    peak = peak_of(
        "from pathlib import Path\nfrom app.bulk.lines import lines",
        f"assert [line.text for line in lines(Path({str(path)!r}))] == [None, 'small\\n']",
    )
    assert peak.all - peak.before < 32 * MIB
