"""A corpus of anybody's own: one table whose rows are spoken captions.

`audio` and `image` are paths relative to the table's folder, `text` is what is said, `split` is where the row belongs.
Other columns are passed over. A table without `split` has one, called `all`. An image's id is its place among the
images of the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from training.datasets.dataset import Dataset, Pair
from training.datasets.folder import Folder
from training.datasets.manifest_rows import READERS, Row, read_rows
from training.datasets.names import inside, printable
from training.errors import DatasetError

NAME = "manifest"  # the table's, where only its folder is given
ALL = "all"


class Manifest:
    """The corpus in the table `root`, or in the only `manifest.*` of the folder `root`; see the module."""

    def __init__(self, root: Path) -> None:
        self._path = _table(root)
        self._folder = Folder(self._path.parent)
        self._rows = [_checked(row, self._path) for row in read_rows(self._path)]
        stated = [row for row in self._rows if row.split is not None]
        if stated and len(stated) < len(self._rows):
            row = next(row for row in self._rows if row.split is None)
            raise DatasetError(f"{_place(row, self._path)} has no split, and others have one")
        self.splits: Sequence[str] = list(dict.fromkeys(row.split or ALL for row in self._rows))
        if not self._rows:
            raise DatasetError(f"{printable(self._path)} has no rows")

    def read(self, split: str) -> Dataset:
        ids = {image: place for place, image in enumerate(dict.fromkeys(row.image for row in self._rows))}
        missing, duplicates = dict[str, None](), list[str]()
        seen, times, pairs = set[tuple[str, str]](), dict[str, int](), list[Pair]()
        for row in self._of(split):
            absent = [printable(path) for path in (row.audio, row.image) if not self._folder.has(path)]
            missing.update(dict.fromkeys(absent))
            if (row.audio, row.image) in seen:
                duplicates.append(f"{_place(row, self._path)}: {printable(row.audio)}")
            elif not absent:
                times[row.audio] = times.get(row.audio, 0) + 1
                pairs.append(self._pair(row, ids, times[row.audio]))
            seen.add((row.audio, row.image))
        return Dataset("manifest", split, pairs, list(missing), duplicates=duplicates)

    def _of(self, split: str) -> Iterator[Row]:
        return (row for row in self._rows if (row.split or ALL) == split)

    def _pair(self, row: Row, ids: Mapping[str, int], time: int) -> Pair:
        """A recording may be of several images: it is another utterance each time."""
        name = printable(row.audio) + (f"#{time}" if time > 1 else "")
        audio, image = self._folder.source(row.audio), self._folder.source(row.image)
        return Pair(name, audio, image, ids[row.image], row.text)


def _table(root: Path) -> Path:
    if not root.is_dir():
        return root
    found = [root / f"{NAME}{suffix}" for suffix in READERS if (root / f"{NAME}{suffix}").is_file()]
    if len(found) != 1:
        kinds = ", ".join(READERS)
        raise DatasetError(f"{printable(root)} has {len(found)} files {NAME}.* ({kinds}): name the one to read")
    return found[0]


def _checked(row: Row, path: Path) -> Row:
    where = _place(row, path)
    for column, value in (("audio", row.audio), ("image", row.image)):
        if not value:
            raise DatasetError(f"{where} has no {column}")
    return row._replace(audio=inside(row.audio, where), image=inside(row.image, where))


def _place(row: Row, path: Path) -> str:
    return f"{printable(path.name)}:{row.number}"
