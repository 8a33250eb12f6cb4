"""A million vectors: how long an index takes to build, how large it is, what it finds, what a search costs.

    python -m bench.large_collection --count 1000000 --dim 512 --folder FOLDER IVF-SQ8 IVF-PQ HNSW-SQ8

Fills a collection with clustered unit vectors (or takes the one that an earlier run left in FOLDER), builds one recipe
after the other, and measures each in a new process, as after a restart. Queries are drawn like the vectors and are
none of them. Prints a table in Markdown. Without recipes it only fills.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from index.collection import Collection
from index.large.layered import LayeredIndex
from index.large.recipes import RecipeName
from index.records import Record
from index.store import Store
from index.vectors import Ids, VectorIndex

NAME = "large"
BATCH = 10_000
PER_CENTRE = 50
SPREAD = 0.7
"""Length of the random vector that moves a vector away from its centre, which is of length 1."""
QUERIES = 500
K = 10
MIB = 1024 * 1024


def drawn(count: int, dim: int, centres: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Unit vectors around centres."""
    chance = np.random.default_rng((1, seed))
    vectors = chance.standard_normal((count, dim), np.float32) * np.float32(SPREAD / np.sqrt(dim))
    vectors += centres[chance.integers(0, len(centres), count)]
    return normalised(vectors)


def centres_of(count: int, dim: int) -> NDArray[np.float32]:
    """The same for the same sizes."""
    centres = np.random.default_rng(0).standard_normal((max(1, count // PER_CENTRE), dim), np.float32)
    return normalised(centres)


def normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def fill(store: Store, count: int, dim: int) -> None:
    """Store so many records, as far as they are not there yet."""
    with store.open(NAME) if NAME in store.names() else store.create(NAME, "images", dim, "bench") as collection:
        centres, started, before = centres_of(count, dim), time.monotonic(), collection.count
        for start in range(before, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            collection.add([Record(f"{number:09}") for number in numbers], drawn(len(numbers), dim, centres, start + 1))
        if collection.count > before:
            print(f"filled in {time.monotonic() - started:.0f} s", file=sys.stderr)


def build(store: Store, recipe: RecipeName) -> dict[str, Any]:
    """Wall and CPU seconds; nothing for `Flat`, of which nothing is built.

    In a process that has built nothing yet: the system tells only the peak of the largest of all its children.
    """
    with store.open(NAME) as collection:
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        collection.build(recipe, 0.95, progress)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        built = collection.built
        if built is None:  # every vector is compared
            return {}
        return {
            "wall s": round(time.monotonic() - started),
            "CPU s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime),
            "peak MiB": round(after.ru_maxrss / 1024),
            "measured recall": built.recall,
            **built.setting.model_dump(exclude_none=True),
        }


def progress(step: str, done: int, total: int) -> None:
    """On stderr, now and then."""
    if done in (0, total) or done % (total // 10 or 1) == 0:
        print(f"{time.strftime('%H:%M:%S')} {step} {done}/{total}", file=sys.stderr, flush=True)


def measure(root: Path, count: int, dim: int) -> dict[str, Any]:
    """In this process, which has just started."""
    started = time.monotonic()
    collection = Store(root).open(NAME)
    opened = time.monotonic() - started
    index = cast(VectorIndex, collection._index)
    queries = drawn(QUERIES, dim, centres_of(count, dim), 0)
    collection.search(queries[:1], K)
    ready = time.monotonic() - started
    cold, _ = cpu_ms(index, queries)
    warm, found = cpu_ms(index, queries)
    whole = whole_search_ms(collection, queries)
    memory = resident()
    exact = [exactly(index, query) for query in queries]
    recall = np.mean([len(np.intersect1d(one, other)) / K for one, other in zip(found, exact, strict=True)])
    # As a kill leaves it, if the caller wants that.
    if os.environ.get("KILLED"):
        collection.add([Record("killed")], queries[:1])
        os.kill(os.getpid(), signal.SIGKILL)
    collection.close()
    return {
        "recall@10": round(float(recall), 4),
        "CPU ms, first pass": round(cold, 2),
        "CPU ms": round(warm, 2),
        "CPU ms with records": round(whole, 2),
        "open s": round(opened, 2),
        "first answer s": round(ready, 2),
        **memory,
    }


def exactly(index: VectorIndex, query: NDArray[np.float32]) -> Ids:
    """What comparing every vector finds."""
    if not isinstance(index, LayeredIndex):
        return index.search(query[np.newaxis], K)[1].ravel()
    found: Ids = index.base.matrix.search(query, K)[1]
    return found


def cpu_ms(index: VectorIndex, queries: NDArray[np.float32]) -> tuple[float, list[Ids]]:
    """CPU milliseconds of a search, and what was found."""
    started = time.process_time()
    found = [index.search(query[np.newaxis], K)[1][0] for query in queries]
    return (time.process_time() - started) * 1000 / len(queries), found


def whole_search_ms(collection: Collection, queries: NDArray[np.float32]) -> float:
    """The same with all that a caller gets."""
    started = time.process_time()
    for query in queries:
        collection.search(query[np.newaxis], K)
    return (time.process_time() - started) * 1000 / len(queries)


def resident() -> dict[str, int]:
    """MiB of memory that the process has of its own, and of files that are mapped into it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith("Rss")}
    return {"own MiB": kib["RssAnon"] // 1024, "mapped MiB": kib["RssFile"] // 1024}


def in_a_new_process(args: argparse.Namespace, *words: str, killed: bool = False) -> dict[str, Any]:
    """What `measure` or `build` says there; nothing where it is to be killed."""
    sizes = ["--count", str(args.count), "--dim", str(args.dim), "--folder", str(args.folder)]
    command = [sys.executable, "-m", "bench.large_collection", *sizes, *words]
    environment = {**os.environ, "KILLED": "yes"} if killed else None
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=not killed, env=environment)
    return {} if killed else dict(json.loads(done.stdout))


def main() -> None:
    """The script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--build")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("recipes", nargs="*")
    args = parser.parse_args()
    store = Store(args.folder)
    if args.build:
        print(json.dumps(build(store, args.build)))
    elif args.measure:
        print(json.dumps(measure(args.folder, args.count, args.dim)))
    else:
        fill(store, args.count, args.dim)
        for recipe in args.recipes:
            print("\n".join(f"| {name} | {value} |" for name, value in facts(args, recipe).items()), flush=True)
            with store.open(NAME) as collection:
                collection.delete(["killed"])


def facts(args: argparse.Namespace, recipe: str) -> dict[str, Any]:
    """One recipe's column of the table; the collection is left with a record of a process that was killed."""
    found = {"recipe": recipe, **in_a_new_process(args, "--build", recipe)}
    for kind in ("index", "vectors"):
        found[f"{kind} MiB"] = sum(path.stat().st_size for path in (args.folder / NAME).glob(f"{kind}-*")) // MIB
    found |= in_a_new_process(args, "--measure")
    in_a_new_process(args, "--measure", killed=True)
    return {**found, "open s after a kill": in_a_new_process(args, "--measure")["open s"]}


if __name__ == "__main__":
    main()
