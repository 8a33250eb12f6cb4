"""The whole corpus: what is missing of it is made, by as many processes as there may be."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from training.errors import NotReady
from training.scenes.cast import missing
from training.scenes.shards import Recipe, make_shard

FORMAT = 1
"""Grows whenever the same seed gives another corpus."""

SETTINGS, LOCK = "corpus.json", "corpus.lock"

Job = tuple[str, int, Path]


def make_corpus(recipe: Recipe, out: Path, sizes: Mapping[str, int], workers: int) -> Iterator[int]:
    """Make what is missing of each split of `sizes` scenes, rounded up to whole tar files.

    Yields how many scenes are there, first at once and then after each tar file. Raises `NotReady` where something
    has to be installed, or where `out` has a corpus of another seed or other voices.
    """
    if lacking := missing([*recipe.shares, *recipe.unheard]):
        raise NotReady(f"install first: {', '.join(lacking)}")
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        _settle(recipe, out)
        jobs = [*_jobs(recipe, out, sizes)]
        left = [job for job in jobs if not job[2].exists()]
        done = len(jobs) - len(left)
        yield done * recipe.size
        for _ in _made(recipe, left, workers):
            done += 1
            yield done * recipe.size


def total(recipe: Recipe, sizes: Mapping[str, int]) -> int:
    """Scenes in all, with what is rounded up."""
    return sum(_shards(recipe, scenes) for scenes in sizes.values()) * recipe.size


def _shards(recipe: Recipe, scenes: int) -> int:
    return -(-scenes // recipe.size)


def _jobs(recipe: Recipe, out: Path, sizes: Mapping[str, int]) -> Iterator[Job]:
    # The small ones first: whoever looks at the corpus while it grows finds all of its splits.
    for split in sorted(sizes, key=lambda name: sizes[name]):
        for number in range(_shards(recipe, sizes[split])):
            yield split, number, out / f"{split}-{number:06d}.tar"


def _made(recipe: Recipe, jobs: list[Job], workers: int) -> Iterator[Path]:
    if workers == 1:
        yield from (make_shard(recipe, path, split, number) for split, number, path in jobs)
        return
    # Not by fork: whoever calls this may have threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_end_with_parent) as pool:
        futures: list[Future[Path]] = [pool.submit(make_shard, recipe, path, split, n) for split, n, path in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise NotReady("a worker was killed, perhaps for want of memory: run the same again, with fewer") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent() -> None:
    """A worker does not notice that it is alone when its parent is killed, and would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    with (out / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotReady(f"another process makes scenes in {out}") from None
        yield


def _settle(recipe: Recipe, out: Path) -> None:
    """What the tar files depend on is written down, and stays."""
    path = out / SETTINGS
    settings = {
        "format": FORMAT,
        "seed": recipe.seed,
        "voices": dict(sorted(recipe.shares.items())),
        "unheard": dict(sorted(recipe.unheard.items())),
        "scenes in a tar file": recipe.size,
    }
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
    try:
        same = json.loads(path.read_text(encoding="utf-8")) == settings
    except ValueError:
        same = False
    if not same:
        raise NotReady(f"{path} tells of another seed or of other voices: choose another folder")
