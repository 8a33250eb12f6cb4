"""Work that goes on ahead of whoever uses its results, only so far."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

PATIENCE_S = 0.1


@contextmanager
def ahead(things: Iterable[T], work: Callable[[T], R], threads: int, most: int) -> Iterator[Iterator[R]]:
    """The results of `work`, in the order of the things.

    One thread iterates, `threads` others work, and at most `most` things are begun that nobody has used. What they
    raise is raised by the iterator. All threads have ended when the context has.
    """
    stopping = threading.Event()
    begun: queue.Queue[Future[R] | BaseException | None] = queue.Queue(most)
    with ThreadPoolExecutor(threads, thread_name_prefix="bulk") as pool:
        reader = threading.Thread(target=_read, args=(things, work, pool, begun, stopping), name="bulk-reader")
        reader.start()
        try:
            yield _results(begun)
        finally:
            stopping.set()
            reader.join()
            pool.shutdown(cancel_futures=True)


def _read(
    things: Iterable[T],
    work: Callable[[T], R],
    pool: ThreadPoolExecutor,
    begun: queue.Queue[Future[R] | BaseException | None],
    stopping: threading.Event,
) -> None:
    end: BaseException | None = None
    try:
        for thing in things:
            if not _put(begun, pool.submit(work, thing), stopping):
                return
    # Whatever it is, it is raised again where the results are used.
    except BaseException as error:
        end = error
    _put(begun, end, stopping)


def _put(begun: queue.Queue[T], one: T, stopping: threading.Event) -> bool:
    while not stopping.is_set():
        try:
            begun.put(one, timeout=PATIENCE_S)
        except queue.Full:
            continue
        return True
    return False


def _results(begun: queue.Queue[Future[R] | BaseException | None]) -> Iterator[R]:
    while (one := begun.get()) is not None:
        if isinstance(one, BaseException):
            raise one
        yield one.result()
