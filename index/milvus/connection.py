"""The connection to Milvus. Whatever goes wrong on it becomes one of `index.errors`, and nothing waits for ever.

This is the one place where pymilvus is imported.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from index.address import File, Server
from index.durable import files
from index.durable.locks import FileLock
from index.errors import CollectionError, CollectionNotFound, ExtraMissing, ServerUnreachable, StorageFailed

TIMEOUT_S = 10.0
LITE_TIMEOUT_S = 60.0
"""Milvus Lite is no further away than this process, but slow before it has indexed what it holds."""
LOAD_TIMEOUT_S = 120.0
MOST_ROWS = 16_384
"""In one answer; the server's own limit."""

_NOT_FOUND = 100
_NOT_LOADED = (101, 103)
_CONNECT_FAILED = 2
_NOT_READY = "service not ready"  # its number is one that other versions have for everything
_AWAY = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})


class Connection:
    """One client, for any number of threads. It finds the server again by itself when that was away."""

    def __init__(self, address: File | Server) -> None:
        """Raises `ExtraMissing`, `ServerUnreachable`, or `CollectionLocked` for a file that is open elsewhere."""
        self._address = address
        self._writing = threading.Lock()
        self._lock: FileLock | None = None
        self._client: Any = None
        self._pymilvus = _imported(address)
        if isinstance(address, File):
            with files.storage(f"the folder of {address} cannot be used"):
                address.path.parent.mkdir(parents=True, exist_ok=True)
                self._lock = FileLock(address.path.with_name(f".{address.path.name}.lock"), f"the store {address}")
        try:
            self._client = self._connected()
        except BaseException:
            self._release()
            raise

    @property
    def is_local(self) -> bool:
        """Whether it is Milvus Lite, which keeps to one process."""
        return isinstance(self._address, File)

    @property
    def index(self) -> str:
        """The kind of index that new collections get."""
        return "FLAT" if isinstance(self._address, File) else self._address.index

    @property
    def pymilvus(self) -> Any:
        """The package."""
        return self._pymilvus

    @property
    def _timeout_s(self) -> float:
        return LITE_TIMEOUT_S if self.is_local else TIMEOUT_S

    def call(self, method: str, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Call a method of `pymilvus.MilvusClient`.

        Raises `CollectionNotFound`, `ServerUnreachable`, and `StorageFailed` for everything else that a server refuses.
        """
        if self._client is None:
            raise CollectionError(f"the store {self._address} is closed")
        try:
            with self._guarded():
                return getattr(self._client, method)(*args, timeout=timeout or self._timeout_s, **kwargs)
        except StorageFailed as error:
            if method == "load_collection" or getattr(error.__cause__, "code", None) not in _NOT_LOADED:
                raise
        # The server was started anew, or somebody has released the collection.
        self.call("load_collection", args[0], timeout=LOAD_TIMEOUT_S)
        with self._guarded():
            return getattr(self._client, method)(*args, timeout=timeout or self._timeout_s, **kwargs)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One write at a time: Milvus Lite asks for that."""
        with self._writing:
            yield

    def close(self) -> None:
        """Closing twice is fine."""
        client, self._client = self._client, None
        if client is not None:
            with self._guarded():
                client.close()
        self._release()

    def _connected(self) -> Any:
        client = self._pymilvus.MilvusClient
        with self._guarded():
            if isinstance(self._address, File):
                return client(str(self._address.path), timeout=TIMEOUT_S)
            server = self._address
            return client(server.uri, token=server.token, db_name=server.database, timeout=TIMEOUT_S)

    def _release(self) -> None:
        if isinstance(self._address, File) and self._lock is not None:
            import_module("milvus_lite.server_manager").server_manager_instance.release_server(str(self._address.path))
            self._lock.release()
            self._lock = None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        # pymilvus lets gRPC's errors and Python's own out beside those of its one family, and promises none of it.
        except Exception as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> CollectionError:
        code, text = getattr(error, "code", None), getattr(error, "message", None) or str(error)
        code = code() if callable(code) else code
        if code == _NOT_FOUND:
            return CollectionNotFound(f"the collection is no longer there: {text}")
        starting = _NOT_READY in str(text).lower()
        if starting or code == _CONNECT_FAILED or getattr(code, "name", "") in _AWAY:
            return ServerUnreachable(f"{self._address} does not answer: {_first_line(text)}")
        return StorageFailed(f"{self._address} refuses: {_first_line(text)}")


def _imported(address: File | Server) -> Any:
    try:
        pymilvus = import_module("pymilvus")
        if isinstance(address, File):
            import_module("milvus_lite")
    except ImportError as error:
        extra = "milvus-lite" if isinstance(address, File) else "milvus"
        raise ExtraMissing(
            f"collections at {address} need the extra {extra!r}: pip install 'speechclip-search[{extra}]' ({error})"
        ) from error
    # They tell every error to their own logs, with a traceback; here each is told once, by whoever handles it.
    for name in ("pymilvus", "milvus_lite", "grpc._server"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return pymilvus


def _first_line(text: str) -> str:
    return " ".join(text.split())[:300]
