"""Folders of embeddings as clip-retrieval writes them.

Part 0 is `img_emb/img_emb_0.npy`, `text_emb/text_emb_0.npy` and `metadata/metadata_0.parquet`; the rows of the three
belong together. An id is the column `id`, `key` or `image_path`, or else the row's place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from app.bulk.errors import SourceError
from app.bulk.items import Bad, Found, Item, bad, below
from app.bulk.parquet import parquet_rows, row_count
from app.bulk.rows import WEB, Row
from index.manifest import Kind
from index.records import Record

ARRAYS: Mapping[Kind, str] = {"images": "img_emb", "captions": "text_emb", "keywords": "text_emb"}
NUMBER = re.compile(r".*_([0-9]+)\.npy")
IDS, PLACES, CAPTIONS = ("id", "key", "image_path"), ("url", "uri", "image_path"), ("caption", "text")
SPOKEN_FOR = frozenset({"id", "image_path", "url", "uri", *CAPTIONS})


def is_embeddings(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in set(ARRAYS.values()))


class Embeddings:
    """A folder of them. `dim`: numbers in each vector of the first part. Raises `SourceError` for nothing of use."""

    root: Path | None = None

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.kinds = cast(tuple[Kind, ...], tuple(kind for kind in ARRAYS if self._parts(kind)))
        if not self.kinds:
            raise SourceError(f"{path} has neither img_emb/*.npy nor text_emb/*.npy")
        first = self._parts(self.kinds[0])[0]
        try:
            self.dim = _vectors(first).shape[1]
        except (ValueError, OSError, EOFError) as error:
            raise SourceError(f"{first} cannot be read: {error}") from error

    def size(self) -> int:
        return sum(part.stat().st_size for part in self._parts(self.kinds[0]))

    def items(self, kind: Kind, root: Path | None) -> Iterator[Found]:
        for part in self._parts(kind):
            try:
                vectors, table = _vectors(part), self._table(part)
                if vectors.shape[1] != self.dim:
                    raise ValueError(f"its vectors have {vectors.shape[1]} numbers, those of other parts {self.dim}")
                if (rows := row_count(table)) != len(vectors):
                    raise ValueError(f"there are {len(vectors):,} vectors, but {rows:,} rows in {table.name}")
            except (ValueError, OSError, EOFError) as error:
                yield bad(part.name, error)
                continue
            for row in parquet_rows(table):
                yield row if isinstance(row, Bad) else _item(row, vectors[row.number - 1], root)

    def _parts(self, kind: Kind) -> list[Path]:
        found = (self.path / ARRAYS[kind]).glob("*.npy")
        return sorted((path for path in found if NUMBER.fullmatch(path.name)), key=lambda path: (_number(path), path))

    def _table(self, part: Path) -> Path:
        number = cast(re.Match[str], NUMBER.fullmatch(part.name))[1]
        return self.path / "metadata" / f"metadata_{number}.parquet"


def _number(part: Path) -> int:
    return int(cast(re.Match[str], NUMBER.fullmatch(part.name))[1])


def _vectors(part: Path) -> NDArray[np.floating]:
    """(N, dim), left on disk. Raises `ValueError`, `OSError` or `EOFError`."""
    vectors = np.load(part, mmap_mode="r", allow_pickle=False)
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise ValueError("it is no array of vectors")
    return vectors


def _item(row: Row, vector: NDArray[np.floating], root: Path | None) -> Found:
    weight = float(vector.nbytes)
    try:
        metadata = {name: value for name, value in row.values.items() if name not in SPOKEN_FOR}
        id = _first(row.values, IDS) or f"{row.table.stem}/{row.number}"
        record = Record(id, _place(row, root), _first(row.values, CAPTIONS), metadata)
        return Item(record, _unit(vector), row.where, weight)
    except ValueError as error:
        return bad(row.where, error, weight)


def _unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    wide = np.asarray(vector, np.float64)
    length = np.linalg.norm(wide)
    if not np.isfinite(length) or not length:
        raise ValueError("its vector is zero, or not finite")
    return (wide / length).astype(np.float32)


def _place(row: Row, root: Path | None) -> str | None:
    """An address on the web, or a file below `root`; a path of the machine that made the vectors leads nowhere."""
    place = _first(row.values, PLACES)
    if place is None or place.startswith(WEB) or root is None:
        return place if place is not None and place.startswith(WEB) else None
    try:
        return below(place, root, root)
    except ValueError:
        return None


def _first(values: Mapping[str, JsonValue], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = values.get(name)
        if type(value) is int or (isinstance(value, str) and value):
            return str(value)
    return None
