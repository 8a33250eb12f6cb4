"""A file of texts, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.bulk.items import Bad, Found, Item, bad
from app.bulk.lines import Line, lines
from app.bulk.rows import embeddable, text_id
from index.manifest import Kind
from index.records import Record


class Texts:
    """A .txt file. A text is named by itself."""

    kinds: tuple[Kind, ...] = ("captions", "keywords")
    root: Path | None = None

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name

    def size(self) -> int:
        return self.path.stat().st_size

    def items(self, kind: Kind, root: Path | None) -> Iterator[Found]:
        for line in lines(self.path):
            if line.text is None or line.text.strip():
                yield self._item(line)

    def _item(self, line: Line) -> Found:
        where = f"{self.name}:{line.number}"
        if line.text is None:
            return Bad(where, line.problem, line.size)
        try:
            text = embeddable(line.text)
        except ValueError as error:
            return bad(where, error, line.size)
        return Item(Record(text_id(text), None, text), None, where, line.size)
