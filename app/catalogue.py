"""The collections that are open, and those that could not be opened."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from index.collection import Collection
from index.errors import CollectionError, CollectionLocked, CollectionNotFound
from index.store import Store

logger = logging.getLogger(__name__)


class Catalogue:
    """Opens every collection of a store once. One that cannot be opened is kept with its reason; the others serve."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: dict[str, Collection] = {}
        self._failed: dict[str, CollectionError] = {}
        self._opening = threading.Lock()
        for name in store.names():
            self._try_to_open(name)

    def get(self, name: str) -> Collection:
        """Raises `CollectionNotFound`, or why the collection cannot be used. Blocks while one is opened."""
        if name in self._open:
            return self._open[name]
        with self._opening:
            if name not in self._open and not self._is_lost(name):
                # Made after the start, by the command line.
                if name not in self._store.names():
                    raise CollectionNotFound(f"there is no collection {name[:80]!r}")
                self._try_to_open(name)
            if name in self._failed:
                raise self._failed[name]
            return self._open[name]

    def require_any(self) -> None:
        """Raise why no collection can be used, where there are some. Blocks while one is tried again."""
        error: CollectionError | None = None
        for name in self.failed:
            if self._open:
                return
            try:
                self.get(name)
            except CollectionError as why:
                error = why
        if error is not None and not self._open:
            raise error

    @property
    def collections(self) -> Mapping[str, Collection]:
        return dict(sorted(self._open.items()))

    @property
    def failed(self) -> Mapping[str, CollectionError]:
        return dict(sorted(self._failed.items()))

    def close(self) -> None:
        """Close every collection; one that cannot be closed well does not keep the others open."""
        for name, collection in self._open.items():
            try:
                collection.close()
            except CollectionError as error:
                logger.error("collection was not closed well", extra={"collection": name, "reason": str(error)})

    def _is_lost(self, name: str) -> bool:
        """Whether another try is pointless; whoever holds a locked collection lets go of it some day."""
        return name in self._failed and not isinstance(self._failed[name], CollectionLocked)

    def _try_to_open(self, name: str) -> None:
        try:
            self._open[name] = self._store.open(name)
            self._failed.pop(name, None)
        except CollectionError as error:
            logger.error("collection cannot be used", extra={"collection": name, "reason": str(error)})
            self._failed[name] = error
