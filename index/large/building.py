"""`python -m index.large.building ORDER`: build an index of a collection's records, in a process of its own.

Building takes minutes, and all the memory of the new index, and FAISS cannot be interrupted: a process can be killed,
gives way to others, and takes nobody with it. It reads the records, writes two files into a folder, and tells of itself
on stdout, a line of JSON for each thing. It ends when its stdin does, which is when whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from index.durable import files
from index.durable.rows import State
from index.durable.table import Table
from index.errors import CollectionDamaged, CollectionError, InvalidRecipe
from index.large import approximate, matrix, tuning
from index.large.centres import centres
from index.large.matrix import Matrix
from index.large.recipes import CONSTRUCTION, RECIPES, TRAINING_PER_LIST, Recipe, RecipeName, lists_for
from index.manifest import BaseFiles, Built, Manifest
from index.records import Vectors
from index.vectors import Ids, faiss

VECTORS = "vectors.f32"
INDEX = "index.faiss"

TRAINED = 65_536
"""Vectors from which codes are learned."""
ADDED = 10_000
"""Vectors that are added at a time; of a graph, where each takes long, a tenth of that."""
FEWEST_APART = 4000
"""Vectors to learn from, apart from those that the index is measured with."""
FOUND_CENTRES = 64
"""Candidates for the centre that is nearest to a vector, where there are so many that a graph finds it."""
MOST_SAMPLED = 400_000
"""Vectors that centres are found among: they are all in memory then."""


class Order(BaseModel):
    """What to build, of which collection, and where to put it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    out: Path
    dim: int
    recipe: RecipeName
    recall: float
    threads: int
    nice: int
    """How much the process gives way to others."""


Tell = Callable[[str, int, int], object]
"""(step, done, total)"""


def build(order: Order, tell: Tell) -> BaseFiles:
    """Write `vectors.f32` and `index.faiss` into the folder `out`. Raises `CollectionError`."""
    with files.storage("the index cannot be written"):
        recipe = RECIPES[order.recipe]
        with closing(_records(order)) as table:
            state = table.state()
            count, digest = matrix.write(order.out / VECTORS, _told(table, state, tell))
        if count < recipe.fewest():
            raise InvalidRecipe(f"{recipe.name} needs {recipe.fewest()} vectors or more, not {count}")
        full = Matrix(order.out / VECTORS, count, order.dim)
        write_index(index_of(recipe, full, order.threads, tell), order.out / INDEX)
        return BaseFiles(
            seq=state.seq, count=count, vectors=digest, built=_measured(recipe, full, order.out / INDEX, order, tell)
        )


def _records(order: Order) -> Table:
    """Those that count: compacting may put others in their place at any moment."""
    while True:
        name = Manifest.read(order.folder).records
        try:
            return Table(order.folder, order.dim, name)
        except CollectionDamaged:
            if Manifest.read(order.folder).records == name:
                raise


def _told(table: Table, state: State, tell: Tell) -> Iterator[tuple[Ids, Any]]:
    done = 0
    for ids, vectors in table.chunks(state.seq):
        yield ids, vectors
        done += len(ids)
        tell("reading records", done, state.count)


def index_of(recipe: Recipe, full: Matrix, threads: int, tell: Tell) -> Any:
    """FAISS's index over all of these vectors, in memory, under their places."""
    faiss.omp_set_num_threads(threads)
    index = faiss.index_factory(full.dim, recipe.factory(full.count, full.dim), faiss.METRIC_INNER_PRODUCT)
    _train(index, recipe, _sample(recipe, full), tell)
    step = ADDED // 10 if recipe.graph else ADDED
    for start in range(0, full.count, step):
        index.add(np.ascontiguousarray(full.vectors[start : start + step]))
        tell("adding vectors", min(start + step, full.count), full.count)
    return index


def _train(index: Any, recipe: Recipe, sample: Vectors, tell: Tell) -> None:
    """As FAISS would, with less patience: its defaults are for hours."""
    tell("training", 0, 1)
    inner = index
    if recipe.codes == "product":
        rotation, inner = faiss.downcast_VectorTransform(index.chain.at(0)), faiss.downcast_index(index.index)
        rotation.niter, rotation.niter_pq_0, rotation.niter_pq, rotation.max_train_points = 12, 12, 2, TRAINED // 4
        rotation.train(sample)
        sample = rotation.apply(sample)
    if recipe.lists:
        quantizer = faiss.downcast_index(inner.quantizer)
        quantizer.add(centres(sample, inner.nlist, tell))
        if isinstance(quantizer, faiss.IndexHNSW):
            quantizer.hnsw.efSearch = FOUND_CENTRES
    if recipe.graph:
        index.hnsw.efConstruction = CONSTRUCTION
    inner.train(sample[:TRAINED])
    index.is_trained = True
    tell("training", 1, 1)


def _sample(recipe: Recipe, full: Matrix) -> Vectors:
    wanted = max(TRAINED, TRAINING_PER_LIST * lists_for(full.count) if recipe.lists else 0)
    places = np.setdiff1d(np.arange(full.count), tuning.question_places(full.count))
    # What an index has learned from it finds more easily than anything else: few vectors have to do nevertheless.
    left = places if len(places) > FEWEST_APART else np.arange(full.count)
    chosen = np.random.default_rng(tuning.SEED).permutation(left)[: min(wanted, MOST_SAMPLED)]
    return np.ascontiguousarray(full.vectors[chosen])


def write_index(index: Any, path: Path) -> None:
    """Raises `OSError`."""
    try:
        faiss.write_index(index, str(path))
    except RuntimeError as error:  # what FAISS makes of a failed open or a short write
        raise OSError(f"cannot write {path.name}: {error}") from error


def _measured(recipe: Recipe, full: Matrix, path: Path, order: Order, tell: Tell) -> Built:
    """The index as it will be used, from its file."""
    tell("comparing with exact search", 0, 1)
    asked = tuning.questions(full)
    tell("comparing with exact search", 1, 1)
    index, tried = approximate.load(path, recipe.lists), 0

    def told(one: tuning.Measured) -> None:
        nonlocal tried
        tried += 1
        tell(f"trying settings, recall {one.recall:.3f} at {one.ms:.2f} ms", tried, tried + 1)

    best = tuning.tune(index, recipe, full, asked, order.recall, told)
    return Built(
        recipe=recipe.name,
        sha256=files.sha256(path),
        setting=best.setting,
        recall=round(best.recall, 4),
        queries=len(asked.places),
        ms=round(best.ms, 4),
        exact_ms=round(asked.exact_ms, 4),
    )


def _say(content: dict[str, object]) -> None:
    print(json.dumps(content), flush=True)


def _end_with_stdin() -> None:
    while os.read(0, 1024):
        pass
    os._exit(1)


def main() -> None:
    """The process."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    order = Order.model_validate_json(sys.argv[1])
    os.nice(order.nice)
    try:
        done = build(order, lambda step, done, total: _say({"step": step, "done": done, "total": total}))
    except CollectionError as error:
        _say({"error": type(error).__name__, "message": str(error)})
    else:
        _say({"files": done.model_dump_json()})


if __name__ == "__main__":
    main()
