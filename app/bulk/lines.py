"""Lines of text from a file, at a bounded cost however long they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.bulk.items import MAX_ROW

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its end. `text`: None where it cannot be used, and `problem` says why; `size`: bytes in the file.

    `number`: from 1.
    """

    number: int
    text: str | None
    problem: str
    size: int


def lines(path: Path) -> Iterator[Line]:
    """Every line of a UTF-8 file, which ends with a line feed or the file. Raises `OSError`."""
    with path.open("rb") as file:
        number = 0
        while first := file.readline(MAX_ROW + 1):
            number += 1
            size = len(first)
            if size > MAX_ROW and not first.endswith(b"\n"):
                yield Line(number, None, f"the line has more than {MAX_ROW:,} bytes", size + _pass_over(file))
            else:
                yield _line(number, first.removeprefix(BYTE_ORDER_MARK) if number == 1 else first, size)


def _line(number: int, data: bytes, size: int) -> Line:
    try:
        return Line(number, data.decode(), "", size)
    except UnicodeDecodeError:
        return Line(number, None, "it is not UTF-8 text", size)


def _pass_over(file: BinaryIO) -> int:
    """Read to the end of a line, and tell how much that was."""
    size = 0
    while part := file.readline(MAX_ROW):
        size += len(part)
        if part.endswith(b"\n"):
            break
    return size
