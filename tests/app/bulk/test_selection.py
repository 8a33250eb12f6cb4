"""What of the sources is new."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.bulk.items import Bad, Content, Found, Item
from app.bulk.selection import Met, select
from app.bulk.tally import KEPT, Tally
from index.collection import Collection
from index.records import Record
from index.store import Store
from tests.peak_memory import peak_of

VECTOR = np.eye(4, dtype=np.float32)[0]


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with Store(tmp_path / "collections").create("words", "captions", 4, "f" * 64) as collection:
        yield collection


@pytest.fixture
def tally(tmp_path: Path) -> Iterator[Tally]:
    with Tally(tmp_path / "reports" / "words.jsonl") as tally:
        yield tally


def item(id: str, caption: str = "dog", content: Content = None, where: str = "list:1") -> Item:
    return Item(Record(id, None, caption), content, where, 1.0)


def ids(found: list[Found], collection: Collection, tally: Tally) -> list[str]:
    return [one.record.id for one in select(found, collection, tally)]


def test_what_is_there_already_is_passed_over(collection: Collection, tally: Tally) -> None:
    collection.add([item("a").record, item("b").record], np.stack([VECTOR, VECTOR]))

    assert ids([item("a"), item("b", "another dog"), item("c")], collection, tally) == ["b", "c"]
    assert (tally.known, tally.failed) == (1, 0)


def test_a_ready_made_vector_is_known_by_itself(collection: Collection, tally: Tally) -> None:
    collection.add([item("a").record, item("b").record], np.stack([VECTOR, VECTOR]))

    assert ids([item("a", content=VECTOR), item("b", content=-VECTOR)], collection, tally) == ["b"]


def test_the_same_twice_is_one(collection: Collection, tally: Tally) -> None:
    assert ids([item("a"), item("a"), item("a")], collection, tally) == ["a"]
    assert (tally.seen, tally.weight) == (0, 2.0)


def test_different_items_of_one_id_do_not_take_each_other_s_place(collection: Collection, tally: Tally) -> None:
    assert ids([item("a"), item("a", "cat", where="list:2")], collection, tally) == ["a"]
    assert tally.first == [Bad("list:2", "another item before it has the id 'a'")]


def test_what_cannot_be_stored_is_told(collection: Collection, tally: Tally) -> None:
    deep: list[object] = []
    for _ in range(100):
        deep = [deep]
    nested = Item(Record("c", None, None, {"deep": deep}), None, "list:3", 1.0)  # type: ignore[dict-item]

    assert ids([item("x" * 257), item(""), item("b\ud800"), nested, Bad("list:4", "why")], collection, tally) == []
    assert tally.failed == 5
    report = [json.loads(line) for line in tally.path.read_text().splitlines()]
    assert report[-1] == {"source": "list:4", "reason": "why"}
    assert "nested 102 deep" in report[3]["reason"]


def test_the_report_has_all_failures_and_memory_a_few(collection: Collection, tally: Tally) -> None:
    bad: list[Found] = [Bad(f"list:{n}", "\x1b[31m" + "x" * 10_000) for n in range(KEPT + 50)]

    assert ids(bad, collection, tally) == []
    assert (tally.failed, len(tally.first)) == (KEPT + 50, KEPT)
    assert len(tally.path.read_text().splitlines()) == KEPT + 50
    assert tally.first[0].reason.startswith("\ufffd[31mxxx")
    assert len(tally.first[0].reason) < 600


def test_a_run_without_failures_has_no_report(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    path.write_text('{"source": "list:1", "reason": "of the last run"}\n')
    with Tally(path) as tally:
        tally.add(1, 1.0)

    assert not path.exists()


def test_many_ids_take_little_memory() -> None:
    peak = peak_of(
        "from app.bulk.selection import Met\nfrom index.records import Record",
        "met = Met()\nfor n in range(100_000):\n    assert met.digest(Record('x' * 200 + str(n))) is None",
    )
    assert peak.all - peak.before < 16 << 20


def test_ids_are_met_once() -> None:
    met = Met()
    assert met.digest(Record("a")) is None
    assert met.digest(Record("b")) is None
    assert met.digest(Record("a")) == met.digest(Record("a", "uri"))
    met.close()
