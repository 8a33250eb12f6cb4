"""The collections that are open, those that are being opened, and those that could not be."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from app.errors import CollectionBusy
from app.others import Looking
from index.backend import Collection, Store
from index.durable.snapshot import Snapshot
from index.errors import CollectionError, CollectionExists, CollectionLocked, CollectionNotFound, StorageFailed
from index.manifest import Kind

logger = logging.getLogger(__name__)

START_PATIENCE_S = 30.0
"""A start waits for its collections so long; those that take longer follow while the others serve."""
PATIENCE_S = 1.0
OPENERS = 2


class Busy:
    """A name that somebody opens, makes or deletes; others wait for its end, but only in its first second.

    So nobody is turned away where opening is quick, and a slow one does not hold the threads of searches, which are
    few.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._until = time.monotonic() + PATIENCE_S

    def end(self) -> None:
        self._over.set()

    def wait(self, seconds: float | None = None) -> None:
        """Until its end, for the time given or what is left of the first second."""
        self._over.wait(max(0.0, self._until - time.monotonic() if seconds is None else seconds))


class Catalogue:
    """Opens every collection of a store once, in the background: deriving an index anew can take minutes.

    One that cannot be opened is kept with its reason; the others serve.
    """

    def __init__(self, store: Store, patience_s: float = START_PATIENCE_S) -> None:
        self._store = store
        self._open: dict[str, Collection] = {}
        self._failed: dict[str, CollectionError] = {}
        self._busy = dict[str, Busy]()
        self._changing = threading.Lock()
        """Held for a moment only: the event loop waits for it too."""
        self._openers = threading.Semaphore(OPENERS)
        self._closed = False
        self._others = Looking(self._look)
        until = time.monotonic() + patience_s
        for opened in [self._begin(name) for name in store.names()]:
            if opened is not None:
                opened.wait(until - time.monotonic())

    @property
    def shared(self) -> bool:
        """Whether others may make and delete collections too."""
        return self._store.shared

    def find(self, name: str) -> Collection | None:
        """The collection if it is open; never waits for anything."""
        return self._open.get(name)

    def get(self, name: str) -> Collection:
        """Raises `CollectionNotFound`, `CollectionBusy`, or why the collection cannot be used."""
        if (found := self.find(name)) is not None:
            return found
        with self._changing:
            known = name in self._busy or name in self._open or self._is_lost(name)
        if not known:
            # Made after the start, by the command line.
            if name not in self._store.names():
                raise CollectionNotFound(f"there is no collection {name[:80]!r}")
            self._begin(name)
        if (busy := self._busy.get(name)) is not None:
            busy.wait()
        with self._changing:
            if name in self._open:
                return self._open[name]
            if name in self._failed and name not in self._busy:
                raise self._failed[name]
            raise CollectionBusy(name)

    def look_around(self, patience_s: float = PATIENCE_S) -> None:
        """See what others have made and deleted, in a store that is shared; with 0 nobody waits for it."""
        if not self.shared:
            return
        if patience_s:
            self._others.now(patience_s)
        else:
            self._others.soon()

    def create(self, name: str, kind: Kind, dim: int, fingerprint: str) -> tuple[Collection, bool]:
        """A collection, and whether it is new. Raises `CollectionExists` where one of that name is another."""
        self._drop_if_gone(name)
        if name not in self._open and name not in self._store.names():
            with suppress(CollectionExists), self._alone(name):
                return self._take(name, self._store.create(name, kind, dim, fingerprint)), True
        found = self.get(name)
        if (found.kind, found.dim, found.fingerprint) != (kind, dim, fingerprint):
            raise CollectionExists(
                f"there is a collection {name!r} already: {found.kind} of the model {found.fingerprint[:12]}, "
                f"not {kind} of {fingerprint[:12]}"
            )
        return found, False

    def delete(self, name: str) -> None:
        """Delete a collection, damaged or not; running searches of it end first. Raises as `Store.delete` does."""
        with self._alone(name):
            with self._changing:
                collection = self._open.pop(name, None)
            if collection is not None:
                self._close(name, collection)
            try:
                self._store.delete(name)
            except CollectionNotFound:
                self._forget(name)
                raise
            except CollectionError as error:
                if collection is not None:
                    # What is still there is tried again when it is asked for.
                    with self._changing:
                        self._failed[name] = CollectionLocked(f"collection {name!r} could not be deleted: {error}")
                raise
            self._forget(name)

    def restore(self, snapshot: Snapshot, name: str, replace: bool) -> Collection:
        """A collection of what a snapshot holds; one of that name, damaged or not, only gives way if it is to."""
        if (collection := self._open.get(name)) is not None:
            if not replace:
                raise CollectionExists(f"there is a collection {name!r} already")
            collection.restore(snapshot)
            return collection
        with self._alone(name):
            return self._take(name, self._store.restore(snapshot, name, replace))

    def require_any(self) -> None:
        """Raise why no collection can be used, where there are some. Blocks while one is tried again."""
        error: Exception | None = None
        for name in (*self.busy, *self.failed):
            if self._open:
                return
            try:
                self.get(name)
            except (CollectionError, CollectionBusy) as why:
                error = why
        if error is not None and not self._open:
            raise error

    @property
    def collections(self) -> Mapping[str, Collection]:
        with self._changing:
            return dict(sorted(self._open.items()))

    @property
    def busy(self) -> list[str]:
        """Those that are being opened, made or deleted."""
        with self._changing:
            return sorted(self._busy)

    @property
    def failed(self) -> Mapping[str, CollectionError]:
        with self._changing:
            return dict(sorted(self._failed.items()))

    def close(self) -> None:
        """Close every collection; one that cannot be closed well does not keep the others open."""
        with self._changing:
            self._closed, open_now = True, dict(self._open)
        for name, collection in open_now.items():
            self._close(name, collection)
        self._store.close()

    def _look(self) -> None:
        for name in self.collections:
            self._drop_if_gone(name)
        there = self._store.names()
        with self._changing:
            self._failed = {name: error for name, error in self._failed.items() if name in there}
            known = self._busy.keys() | self._open.keys() | self._failed.keys()
        for opened in [self._begin(name) for name in there if name not in known]:
            if opened is not None:
                opened.wait()

    def _drop_if_gone(self, name: str) -> None:
        """Forget a collection that somebody else has deleted; searches of it find that out by themselves."""
        found = self.find(name)
        if self.shared and found is not None and not self._store.is_current(found):
            with self._changing:
                if self._open.get(name) is found:
                    del self._open[name]

    def _is_lost(self, name: str) -> bool:
        """Whether another try is pointless: a lock is let go of some day, a server comes back, a disk has room."""
        return name in self._failed and not isinstance(self._failed[name], CollectionLocked | StorageFailed)

    def _begin(self, name: str) -> Busy | None:
        """Open a collection in the background. None if it is busy or open already."""
        with self._changing:
            if name in self._busy or name in self._open:
                return None
            opened = self._busy[name] = Busy()
        # A daemon: the process may end before, as it may at any time.
        threading.Thread(target=self._try_to_open, args=(name,), name=f"open {name}", daemon=True).start()
        return opened

    def _try_to_open(self, name: str) -> None:
        try:
            with self._openers:
                self._take(name, self._store.open(name))
        except CollectionError as error:
            with self._changing:
                before, self._failed[name] = self._failed.get(name), error
            # Tried again with every look at it, it is news only once.
            if str(before) != str(error):
                logger.error("collection cannot be used", extra={"collection": name, "reason": str(error)})
        finally:
            self._free(name)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Nobody else opens, makes or deletes a collection of that name meanwhile. Raises `CollectionBusy`."""
        with self._changing:
            if name in self._busy:
                raise CollectionBusy(name)
            self._busy[name] = Busy()
        try:
            yield
        finally:
            self._free(name)

    def _free(self, name: str) -> None:
        with self._changing:
            self._busy.pop(name).end()

    def _take(self, name: str, collection: Collection) -> Collection:
        with self._changing:
            if not self._closed:
                self._open[name] = collection
                self._failed.pop(name, None)
                return collection
        self._close(name, collection)
        return collection

    def _forget(self, name: str) -> None:
        with self._changing:
            self._failed.pop(name, None)

    def _close(self, name: str, collection: Collection) -> None:
        try:
            collection.close()
        except CollectionError as error:
            logger.error("collection was not closed well", extra={"collection": name, "reason": str(error)})
