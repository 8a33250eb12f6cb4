"""Searching, keywords and vectors, by both clients and of the real application."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechclip_client import Query
from speechclip_client.errors import BranchNotFound, CollectionNotFound, InvalidParameter, UnsupportedMedia
from speechclip_client.results import SpokenWord
from tests.client.conftest import Ask
from tests.fake_encoder import WORDS, FakeEncoder, drawn, spoken
from tests.patience import WAIT_S

ENCODER = FakeEncoder()


def ids(found: Any) -> list[str]:
    return [result.id for result in found.results]


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ({"audio": spoken("dog")}, "audio"),
        ({"image": drawn("dog")}, "image"),
        ({"text": "dog"}, "text"),
        ({"vector": ENCODER.vector("dog")}, "vector"),
        ({"vector": ENCODER.vector("dog").tolist()}, "vector"),
        ({"id": "dog"}, "id"),
        ({"id": "dog", "id_in": "captions"}, "id"),
    ],
)
def test_whatever_is_like_a_dog_finds_the_dog(ask: Ask, query: dict[str, Any], kind: str) -> None:
    found = ask("search", "images", top_k=1, **query)

    assert ids(found) == ["dog"]
    assert found.query.kind == kind
    assert found.results[0].rank == 1
    assert found.results[0].score == pytest.approx(1, abs=1e-5)
    assert (found.collection.name, found.model.dim) == ("images", 16)


def test_files_may_be_paths_or_open(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "dog.wav"
    path.write_bytes(spoken("dog"))

    with path.open("rb") as opened:
        opened.seek(0)
        for file in (path, str(path), opened, io.BytesIO(b"before" + spoken("dog"))):
            if isinstance(file, io.BytesIO):
                file.seek(len(b"before"))
            assert ids(ask("search", "images", audio=file, top_k=1)) == ["dog"]


def test_a_result_tells_what_was_asked_for(ask: Ask) -> None:
    plain = ask("search", "images", text="dog", top_k=1).results[0]
    bare = ask("search", "images", audio=spoken("dog"), top_k=1, include=[]).results[0]
    full = ask("search", "images", audio=spoken("dog"), top_k=1, include=["uri", "metadata", "vector"]).results[0]

    assert (plain.uri, plain.caption, plain.metadata, plain.vector) == ("dog.png", "dog", {"length": 3}, None)
    assert (bare.uri, bare.caption, bare.metadata, bare.vector) == (None, "dog", None, None)
    assert full.uri == "dog.png"
    assert np.allclose(full.vector, ENCODER.vector("dog"))


@pytest.mark.parametrize("query", [{"text": "dog"}, {"audio": spoken("dog")}])
def test_results_are_paged_and_cut(ask: Ask, query: dict[str, Any]) -> None:
    everything = ask("search", "images", top_k=5, **query)
    second = ask("search", "images", top_k=2, offset=1, **query)
    best = ask("search", "images", min_score=0.99, **query)

    assert (len(everything.results), ids(second), ids(best)) == (5, ids(everything)[1:3], ["dog"])
    assert [result.rank for result in second.results] == [2, 3]


@pytest.mark.parametrize("query", [{"text": "dog"}, {"audio": spoken("dog")}, {"image": drawn("dog")}])
def test_results_are_filtered_and_grouped(ask: Ask, query: dict[str, Any]) -> None:
    short = ask("search", "images", filter={"metadata.length": {"lte": 3}}, **query)
    one_each = ask("search", "images", group_by="metadata.length", **query)
    mixed = ask("search", "images", diversity=0.5, top_k=3, **query)

    assert set(ids(short)) == {"dog", "cat"}
    assert len(one_each.results) == len({len(word) for word in WORDS})
    assert len(mixed.results) == 3


def test_words_that_were_heard_may_count(ask: Ask) -> None:
    """The model has no slots, so that nothing changes; that they count is tested beside the service."""
    alone = ask("search", "images", audio=spoken("dog"))

    assert ids(ask("search", "images", audio=spoken("dog"), words=0.5)) == ids(alone)
    with pytest.raises(InvalidParameter, match="words"):
        ask("search", "images", audio=spoken("dog"), words=7.0)


def test_words_that_were_heard_before_go_with_the_vector(ask: Ask) -> None:
    heard = SpokenWord(word="apple", score=0.9, slot=0, start=0.0, end=0.4)
    vector = ENCODER.vector("dog")

    with_it, without = (
        {one.id: one.score for one in ask("search", "images", vector=vector, heard=words, words=1.0).results}
        for words in ([heard], [])
    )
    assert with_it["apple"] == pytest.approx(without["apple"] + 0.9, abs=1e-5)
    assert with_it["dog"] == without["dog"]
    with pytest.raises(InvalidParameter, match="heard"):
        ask("search", "images", text="dog", heard=[heard])


def test_a_long_filter_goes_with_a_file_too(ask: Ask) -> None:
    wanted = {"id": {"in": ["dog", "cat", *("x" * 90 + str(number) for number in range(100))]}}

    assert set(ids(ask("search", "images", audio=spoken("dog"), filter=wanted))) == {"dog", "cat"}


def test_several_queries_are_weighed(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(drawn("cat"))
    parts = [Query(audio=spoken("dog"), weight=2), Query(image=path), Query(vector=ENCODER.vector("apple"), weight=-3)]

    found = ask("search", "images", queries=parts)

    assert ids(found)[0] == "dog"
    assert ids(found)[-1] == "apple"


def test_keywords(ask: Ask) -> None:
    found = ask("keywords", audio=spoken("cat"), top_k=2, include_vector=True)

    assert found.keywords[0].keyword == "cat"
    assert (found.words, found.slots) == ((), ())
    assert np.allclose(found.vector, ENCODER.vector("cat"))
    assert ask("keywords", text="cat", top_k=1, filter={"id": {"ne": "cat"}}).keywords[0].keyword != "cat"


@pytest.mark.parametrize("query", [{"audio": spoken("cat")}, {"image": drawn("cat")}, {"text": "cat"}])
def test_vectors(ask: Ask, query: dict[str, Any]) -> None:
    embedded = ask("embed", **query)

    assert np.allclose(embedded.vector, ENCODER.vector("cat"))
    assert embedded.timings_ms.total > 0


def test_the_service_says_what_it_is(ask: Ask) -> None:
    info = ask("info")

    assert (info.status, info.model.name, info.model.branches) == ("ready", "fake", ("parallel",))
    assert {collection.name for collection in info.collections} >= {"images", "captions", "keywords"}
    assert info.limits.max_top_k == 1000
    assert ask("ready") is True
    assert ask("wait_until_ready", WAIT_S) is None


def test_a_refusal_is_an_exception_of_its_own_kind(ask: Ask) -> None:
    with pytest.raises(CollectionNotFound, match="nowhere") as gone:
        ask("search", "nowhere", text="dog")
    with pytest.raises(UnsupportedMedia):
        ask("search", "images", audio=b"no audio at all")
    with pytest.raises(BranchNotFound):
        ask("embed", audio=spoken("dog"), branch="cascaded")
    with pytest.raises(InvalidParameter) as wrong:
        ask("search", "images", text="dog", top_k=1001)

    assert (gone.value.status, gone.value.code) == (404, "collection_not_found")
    assert gone.value.request_id
    assert wrong.value.findings[0].field == "top_k"


@pytest.mark.parametrize("queries", [{}, {"text": "a", "id": "b"}, {"audio": b"a", "image": b"b"}])
def test_exactly_one_query_is_asked(ask: Ask, queries: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="exactly one"):
        ask("search", "images", **queries)


def test_numbers_that_are_none_are_refused_before_they_are_sent(ask: Ask) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        ask("search", "images", vector=[float("nan")] * 16)
