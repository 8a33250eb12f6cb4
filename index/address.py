"""Where collections are kept: `faiss`, `milvus-lite`, `milvus-lite:FILE.db` or `milvus://HOST`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

from index.backend import Store
from index.errors import InvalidAddress

FAISS = "faiss"
LITE = "milvus-lite"
LITE_FILE = "milvus.db"
MEDIA = "milvus-media"
"""Folder of media that collections on Milvus keep: it is shared by all who use them, or each sees only its own."""
PORT = 19530

Index: TypeAlias = Literal["AUTOINDEX", "FLAT", "HNSW", "DISKANN"]
INDEXES: tuple[Index, ...] = ("AUTOINDEX", "FLAT", "HNSW", "DISKANN")

_SCHEMES = {"milvus": "http", "milvus+tls": "https"}
_SHAPE = (
    f"a store is {FAISS}, {LITE}, {LITE}:FILE.db, or milvus://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?index=KIND]; "
    "milvus+tls:// is the same, encrypted"
)


@dataclass(frozen=True)
class File:
    """A folder of Milvus Lite, whose name ends in `.db`; one process at a time."""

    path: Path

    def __str__(self) -> str:
        return f"{LITE}:{self.path}"


@dataclass(frozen=True)
class Server:
    """A Milvus server or cluster."""

    uri: str
    """`http://HOST:PORT` or, encrypted, `https://HOST:PORT`."""
    token: str = ""
    """`USER:PASSWORD`; never shown."""
    database: str = ""
    index: Index = "AUTOINDEX"
    """Of collections that are made."""

    def __str__(self) -> str:
        return self.uri


def parse(text: str, data: Path) -> File | Server | None:
    """Read an address; None stands for files beside FAISS. Raises `InvalidAddress`, without the password."""
    if text == FAISS:
        return None
    if text == LITE:
        return File(data / LITE_FILE)
    if text.startswith(f"{LITE}:"):
        path = Path(text.removeprefix(f"{LITE}:")).expanduser().absolute()
        if path.suffix != ".db":
            raise InvalidAddress(f"the name of a Milvus Lite file ends in .db; {_SHAPE}")
        return File(path)
    try:
        return _server(text)
    except ValueError as error:
        raise InvalidAddress(f"{error}; {_SHAPE}") from None


def open_store(text: str, data: Path) -> Store:
    """Open the store at an address; `data` is the folder for whatever has no place of its own.

    Raises `InvalidAddress`, `ExtraMissing`, `ServerUnreachable` or another `CollectionError`.
    """
    address = parse(text, data)
    if address is None:
        from index.large.gpu import Gpu
        from index.store import Store as Files

        return Files(data / "collections", Gpu.find())
    from index.milvus.store import MilvusStore

    return MilvusStore(address, data / MEDIA)


def _server(text: str) -> Server:
    parts = urlsplit(text)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError("this is no address of a store")
    options = parse_qs(parts.query, keep_blank_values=True)
    chosen = options.pop("index", ["AUTOINDEX"])[-1].upper()
    index = next((known for known in INDEXES if known == chosen), None)
    if options or index is None:
        raise ValueError(f"the one option is index={'|'.join(INDEXES)}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    token = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    uri = f"{_SCHEMES[parts.scheme]}://{host}:{parts.port or PORT}"
    return Server(uri, token, parts.path.strip("/"), index)
