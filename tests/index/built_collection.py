"""Collections with a built index, and what their answers have to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.collection import Collection
from index.large import building
from index.large.builder import Builder
from index.large.building import Order
from index.manifest import BaseFiles
from index.records import Record
from index.store import Store
from index.vectors import FaissIndex
from tests.index.built_base import clustered

COUNT = 400
DIM = 16


def record(number: int, version: int = 1) -> Record:
    return Record(f"id-{number:04}", metadata={"version": version, "third": number % 3})


def folder(store: Store, name: str = "large") -> Path:
    return store._root / name


def change(collection: Collection, version: int = 2) -> None:
    """Some are replaced, some deleted, some come; the highest row is deleted and its number used again."""
    collection.delete([record(number).id for number in (COUNT - 1, *range(0, COUNT, 7))])
    numbers = [*range(0, COUNT, 5), COUNT, COUNT + 1]
    collection.add([record(number, version) for number in numbers], clustered(len(numbers), seed=version))


def exact(collection: Collection, queries: NDArray[np.float32], k: int) -> list[list[tuple[str, float]]]:
    """The answers as they have to be, from the records alone."""
    index = FaissIndex(DIM)
    for rows, vectors in collection._table.chunks():
        index.add(rows, vectors)
    found = collection._table.fetch(np.concatenate([rows for rows, _ in collection._table.chunks()]).tolist())
    scores, rows = index.search(queries, k)
    return [
        sorted(
            ((found[row].record.id, min(score, 1.0)) for row, score in zip(*one, strict=True)), key=lambda hit: -hit[1]
        )
        for one in zip(rows.tolist(), scores.tolist(), strict=True)
    ]


def recall(collection: Collection, k: int = 10, queries: int = 20) -> float:
    """Of answers that are all there, with their right scores."""
    asked = clustered(queries, seed=99)
    found = 0
    for hits, right in zip(collection.search(asked, k), exact(collection, asked, collection.count), strict=True):
        scores = dict(right)
        assert len(hits) == min(k, collection.count)
        assert all(scores[hit.record.id] == hit.score for hit in hits)
        found += len({hit.record.id for hit in hits} & {id for id, _ in right[:k]})
    return found / (queries * min(k, collection.count))


@contextmanager
def run_here(
    builder: Builder, order: dict[str, object], tell: Callable[..., object]
) -> Iterator[tuple[Path, BaseFiles]]:
    """In the place of `Builder.run`: starting a process takes long, and is what test_builder.py tests."""
    made = builder._folder / ".building-here"
    made.mkdir()
    try:
        yield made, building.build(Order.model_validate({**order, "out": made}), tell)
    finally:
        for path in made.iterdir():
            path.unlink()
        made.rmdir()
