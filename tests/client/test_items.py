"""Collections and what is in them, by both clients and of the real application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from speechclip_client import NewItem
from speechclip_client.errors import (
    CollectionExists,
    CollectionNotFound,
    InvalidParameter,
    ItemNotFound,
    KeyReused,
    MediaNotFound,
)
from tests.client.conftest import Ask
from tests.fake_encoder import FakeEncoder, drawn, spoken

ENCODER = FakeEncoder()
ODD_IDS = ["a/b", ".", "..", "../x", "a b?c#d%", "ü漢", "a//b"]


@pytest.fixture
def things(ask: Ask) -> Iterator[str]:
    """An empty collection of images."""
    made = ask("create_collection", "things", "images")
    assert (made.name, made.count, made.kind) == ("things", 0, "images")
    yield "things"
    ask("delete_collection", "things")


def test_a_collection_lives_and_dies(ask: Ask) -> None:
    ask("create_collection", "sounds", "audio")
    ask("create_collection", "sounds", "audio")
    with pytest.raises(CollectionExists):
        ask("create_collection", "sounds", "images")
    assert "sounds" in {one.name for one in ask("list_collections")}

    stored = ask("store_items", "sounds", [NewItem(audio=spoken("dog"), caption="a dog")])
    assert ask("search", "sounds", text="dog", top_k=1).results[0].id == stored.ids[0]

    ask("delete_collection", "sounds")
    with pytest.raises(CollectionNotFound):
        ask("get_collection", "sounds")


def test_a_batch_is_stored_and_found(ask: Ask, things: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(drawn("cat"))
    with path.open("rb") as opened:
        stored = ask(
            "store_items",
            things,
            [
                NewItem(id="dog", image=drawn("dog"), caption="a dog", metadata={"legs": 4}),
                NewItem(id="cat", image=path),
                NewItem(image=opened, metadata={"same": True}),
                NewItem(id="apple", vector=ENCODER.vector("apple"), uri="https://example.org/apple.png"),
            ],
        )

    assert (stored.ids[:2], stored.created, stored.replaced) == (("dog", "cat"), 4, 0)
    assert ask("search", things, audio=spoken("dog"), top_k=1).results[0].metadata == {"legs": 4}
    assert ask("get_item", things, "apple").uri == "https://example.org/apple.png"
    assert ask("media", things, "dog") == drawn("dog")
    with pytest.raises(MediaNotFound):
        ask("media", things, "apple")
    assert ask("store_items", things, [NewItem(id="dog", image=drawn("cat"))]).replaced == 1


def test_a_listing_goes_on_over_all_pages(ask: Ask, things: str) -> None:
    ids = [f"{number:03}" for number in range(25)]
    ask("store_items", things, [NewItem(id=id, vector=ENCODER.vector("dog")) for id in ids])

    assert [item.id for item in ask("list_items", things, page=10)] == ids
    assert [item.id for item in ask("list_items", things, page=25)] == ids
    item = ask("list_items", things, include_vector=True)[0]
    assert np.allclose(item.vector, ENCODER.vector("dog"))
    assert ask("get_item", things, "000").vector is None
    assert np.allclose(ask("get_item", things, "000", include_vector=True).vector, ENCODER.vector("dog"))


@pytest.mark.parametrize("id", ODD_IDS)
def test_an_id_is_never_taken_for_a_path(ask: Ask, things: str, id: str) -> None:
    ask("store_items", things, [NewItem(id=id, image=drawn("dog")), NewItem(id="other", image=drawn("cat"))])

    assert ask("get_item", things, id).id == id
    assert ask("media", things, id) == drawn("dog")
    ask("delete_item", things, id)
    with pytest.raises(ItemNotFound):
        ask("get_item", things, id)
    assert [item.id for item in ask("list_items", things)] == ["other"]


def test_a_name_is_never_taken_for_a_path(ask: Ask, things: str) -> None:
    ask("store_items", things, [NewItem(id="dog", image=drawn("dog"))])

    for name in ("..", ".", "?", "things?", "things#"):
        with pytest.raises(CollectionNotFound):
            ask("delete_collection", name)
    for name in ("", "things/items/dog", "things/"):
        with pytest.raises(ValueError, match="name"):
            ask("delete_collection", name)
    assert [item.id for item in ask("list_items", things)] == ["dog"]


def test_a_batch_with_a_fault_is_refused_wholly(ask: Ask, things: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        ask("store_items", things, [NewItem(id="dog", image=drawn("dog")), NewItem(id="x", vector=[1.0, 2.0])])

    assert refused.value.findings[0].field == "items.1.vector"
    assert ask("list_items", things) == []
    with pytest.raises(ValueError, match="at least one"):
        ask("store_items", things, [])


def test_a_batch_under_a_key_is_stored_once(ask: Ask, things: str) -> None:
    item = NewItem(id="dog", vector=ENCODER.vector("dog"))

    first = ask("store_items", things, [item], idempotency_key="monday")
    again = ask("store_items", things, [item], idempotency_key="monday")

    assert (again, again.created) == (first, 1)
    with pytest.raises(KeyReused):
        ask("store_items", things, [NewItem(id="cat", vector=ENCODER.vector("cat"))], idempotency_key="monday")
