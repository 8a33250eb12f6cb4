from __future__ import annotations

from pathlib import Path

import pytest

from index.address import File, Server, open_store, parse
from index.errors import InvalidAddress
from index.store import Store

DATA = Path("/data")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("faiss", None),
        ("milvus-lite", File(DATA / "milvus.db")),
        ("milvus-lite:/x/y.db", File(Path("/x/y.db"))),
        ("milvus://host", Server("http://host:19530")),
        ("milvus://host:1/catalogue", Server("http://host:1", "", "catalogue")),
        ("milvus+tls://a%40b:p%2Fw@host:443?index=diskann", Server("https://host:443", "a@b:p/w", "", "DISKANN")),
        ("milvus://[::1]:7", Server("http://[::1]:7")),
    ],
)
def test_an_address_says_where_collections_are(text: str, address: File | Server | None) -> None:
    assert parse(text, DATA) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Faiss",
        "/x",
        "milvus:x",
        "milvus://",
        "http://host",
        "milvus-lite:x",
        "milvus://h?index=PQ",
        "milvus://h?a=b",
        "milvus://h:x",
    ],
)
def test_everything_else_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(InvalidAddress, match="a store is faiss, milvus-lite"):
        parse(text, DATA)


def test_a_password_is_never_shown() -> None:
    address = parse("milvus://me:secret@host", DATA)

    assert "secret" not in str(address)
    with pytest.raises(InvalidAddress) as told:
        parse("milvus://me:secret@host?what=1", DATA)
    assert "secret" not in str(told.value)


def test_files_are_the_default_kind_of_store(tmp_path: Path) -> None:
    store = open_store("faiss", tmp_path)

    assert isinstance(store, Store)
    assert (tmp_path / "collections").is_dir()
