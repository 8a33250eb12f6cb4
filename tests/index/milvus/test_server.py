"""Several processes of the service on one Milvus, which comes and goes. The server is that of Milvus Lite."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from index.address import File, Server, open_store
from index.backend import Collection
from index.errors import (
    CollectionDamaged,
    CollectionLocked,
    CollectionNotFound,
    ExtraMissing,
    InvalidRecord,
    ModelMismatch,
    NotSupported,
    ServerUnreachable,
)
from index.filters.language import parse
from index.milvus import connection, search, state
from index.milvus.connection import Connection
from index.milvus.store import MilvusStore
from index.records import Record
from tests.patience import WAIT_S

AXES = np.eye(4, dtype=np.float32)


class Lite:
    """A server on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = 0

    def start(self) -> None:
        serve = import_module("milvus_lite.adapter.grpc.server").start_server_in_thread
        self._server, self._files, self.port = serve(str(self._folder), "127.0.0.1", self.port)

    def stop(self) -> None:
        self._server.stop(grace=None).wait()
        self._files.close()

    @property
    def address(self) -> str:
        return f"milvus://127.0.0.1:{self.port}?index=FLAT"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lite]:
    server = Lite(tmp_path / "server.db")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def replicas(server: Lite, tmp_path: Path) -> Iterator[list[Any]]:
    stores = [open_store(server.address, tmp_path / name) for name in "ab"]
    yield stores
    for store in stores:
        assert isinstance(store, MilvusStore)
        store.close()


@pytest.fixture
def pair(replicas: list[Any]) -> list[Collection]:
    """One collection, open in two processes."""
    return [replicas[0].create("images", "images", 4, "model-a"), replicas[1].open("images", "model-a")]


def test_what_one_replica_writes_the_other_reads_at_once(pair: list[Collection]) -> None:
    first, second = pair
    versions = [pair[row % 2].add([Record(f"r{row}")], AXES[row : row + 1]) for row in range(3)]

    assert versions == sorted(set(versions))
    assert second.get("r2") == Record("r2")
    assert second.delete(["r0"]) == 1
    assert [record.id for record in first.list(9)] == ["r1", "r2"]
    assert [hit.record.id for hit in first.search(AXES[:1], 5)[0]] == ["r1", "r2"]


def test_counts_and_versions_of_others_show_a_moment_later_and_with_the_next_search(
    pair: list[Collection], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    monkeypatch.setattr(state, "FRESH_S", 600.0)
    first.add([Record("a")], AXES[:1])
    assert (second.count, second.version) == (0, 0)

    readers = later(monkeypatch)
    monkeypatch.setattr(state, "FRESH_S", -1.0)
    assert (second.count, second.version) == (0, 0)
    assert len(readers) == 1
    monkeypatch.setattr(state, "FRESH_S", 600.0)
    readers.pop()()
    assert (second.count, second.version) == (1, first.version)

    first.add([Record("b")], AXES[:1])
    assert second.count == 1
    monkeypatch.setattr(state, "FRESH_S", -1.0)
    second.search(AXES[:1], 1)
    monkeypatch.setattr(state, "FRESH_S", 600.0)
    assert (second.count, second.version) == (2, first.version)


def test_while_the_server_is_away_counts_stay_as_they_were(
    server: Lite, pair: list[Collection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "FRESH_S", 0.0)
    pair[0].add([Record("a")], AXES[:1])
    monkeypatch.setattr(connection, "TIMEOUT_S", 0.5)
    server.stop()

    took = []
    for _ in range(5):
        started_at = time.monotonic()
        assert pair[0].count == 1
        took.append(time.monotonic() - started_at)
        time.sleep(0.05)
    assert min(took) < 0.3  # each, but for what else the machine does
    server.start()


def later(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What would run in the background, to be run when the test says so."""
    started = list[Callable[[], None]]()

    class Later:
        def __init__(self, target: Callable[[], None], **_: object) -> None:
            self.start = lambda: started.append(target)

    monkeypatch.setattr(state, "threading", SimpleNamespace(Thread=Later))
    return started


def test_a_clock_that_is_behind_does_not_turn_versions_back(
    pair: list[Collection], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pair[0].add([Record("a")], AXES[:1])
    monkeypatch.setattr(time, "time_ns", lambda: 0)

    assert pair[1].add([Record("b")], AXES[:1]) == before + 1


def test_a_collection_that_another_replica_deletes_is_no_longer_there(
    replicas: list[Any], pair: list[Collection]
) -> None:
    pair[0].add([Record("a")], AXES[:1])
    replicas[1].delete("images")

    assert replicas[0].names() == []
    assert not replicas[0].is_current(pair[0])
    for use in (
        lambda: pair[0].list(1),
        lambda: pair[0].search(AXES[:1], 1),
        lambda: pair[0].add([Record("a")], AXES[:1]),
    ):
        with pytest.raises(CollectionNotFound, match="images"):
            use()


def test_a_collection_made_anew_for_another_model_is_not_searched_with_this_one(
    replicas: list[Any], pair: list[Collection]
) -> None:
    replicas[1].delete("images")
    other = replicas[1].create("images", "images", 4, "model-b")
    other.add([Record("a")], AXES[:1])

    assert [replicas[0].is_current(one) for one in (pair[0], other)] == [False, True]
    for use in (lambda: pair[0].search(AXES[:1], 1), lambda: pair[0].add([Record("b")], AXES[:1])):
        with pytest.raises(ModelMismatch, match="model-b"):
            use()
    assert other.count == 1


def test_a_server_that_goes_is_told_in_time_and_one_that_comes_back_is_found(
    server: Lite, pair: list[Collection], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair[0].add([Record("a")], AXES[:1])
    monkeypatch.setattr(connection, "TIMEOUT_S", 1.0)
    server.stop()
    for use in (lambda: pair[0].search(AXES[:1], 1), lambda: pair[1].add([Record("b")], AXES[:1])):
        assert any(given_up_s(use) < 5 for _ in range(10))
    server.start()

    assert found_again(pair[0]) == ["a"]


def given_up_s(use: Callable[[], object]) -> float:
    started_at = time.monotonic()
    with pytest.raises(ServerUnreachable):
        use()
    return time.monotonic() - started_at


def found_again(collection: Collection) -> list[str]:
    until = time.monotonic() + WAIT_S
    while True:
        try:
            return [hit.record.id for hit in collection.search(AXES[:1], 5)[0]]
        except ServerUnreachable:  # until the client tries to connect anew
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def test_a_server_that_is_silent_or_not_there_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT_S", 0.5)
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for port in (silent.getsockname()[1], 1):
            with pytest.raises(ServerUnreachable, match="does not answer") as told:
                open_store(f"milvus://me:secret@127.0.0.1:{port}", tmp_path)
            assert "secret" not in str(told.value)


def test_collections_of_other_programs_are_left_alone(server: Lite, replicas: list[Any]) -> None:
    client = import_module("pymilvus").MilvusClient(f"http://127.0.0.1:{server.port}")
    for name in ("theirs", "speechclip_images"):
        client.create_collection(name, dimension=4)
    client.close()

    assert replicas[0].names() == ["images"]
    with pytest.raises(CollectionDamaged, match="speechclip_images"):
        replicas[0].open("images")


@pytest.mark.parametrize("most_rows", [4, 8])
def test_filters_that_milvus_cannot_tell_still_find_all_there_are(
    pair: list[Collection], monkeypatch: pytest.MonkeyPatch, most_rows: int
) -> None:
    monkeypatch.setattr(search, "MOST_ROWS", most_rows)
    monkeypatch.setattr(search, "PAGE", 3)
    pair[0].add([Record(f"{row:02}", metadata={"n": row}) for row in range(30)], np.repeat(AXES[:1], 30, axis=0))

    few = parse({"metadata.n": {"ne": 0}, "not": {"metadata.n": {"lt": 27}}})
    assert [hit.record.id for hit in pair[0].search(AXES[:1], 5, few)[0]] == ["27", "28", "29"]
    assert len(pair[0].search(AXES[:1], 25)[0]) == 25
    assert len(pair[0].list(25)) == 25


def test_what_milvus_has_no_room_for_is_refused_whole(pair: list[Collection]) -> None:
    for record in (
        Record("x", caption="é" * 40_000),
        Record("x", metadata={"t": "a" * 70_000}),
        Record("x", metadata={"a": [{"b": 2**63}]}),
    ):
        with pytest.raises(InvalidRecord, match="Milvus"):
            pair[0].add([Record("y"), record], AXES[:2])
    many = [Record(f"{row}", caption="a" * 60_000) for row in range(600)]
    with pytest.raises(InvalidRecord, match="in parts"):
        pair[0].add(many, np.repeat(AXES[:1], 600, axis=0))
    assert pair[0].count == 0


def test_media_are_kept_beside_it_and_snapshots_are_not_made(pair: list[Collection], tmp_path: Path) -> None:
    name = f"{'0' * 64}.png"
    pair[0].put([Record("a", f"media:{name}")], AXES[:1], {name: b"data"})

    kept = pair[0].media(f"media:{name}")
    assert kept is not None
    assert kept.read_bytes() == b"data"
    with pytest.raises(InvalidRecord, match="lacks"):
        pair[0].put([Record("b", f"media:{'1' * 64}.png")], AXES[:1])
    for refused in (lambda: pair[0].snapshot(tmp_path / "s"), pair[0].compact):
        with pytest.raises(NotSupported):
            refused()


def test_a_file_is_open_in_one_place(tmp_path: Path) -> None:
    store = open_store("milvus-lite", tmp_path)
    with pytest.raises(CollectionLocked):
        open_store("milvus-lite", tmp_path)
    assert isinstance(store, MilvusStore)
    store.close()
    store.close()
    again = open_store("milvus-lite", tmp_path)
    assert isinstance(again, MilvusStore)
    again.close()


@pytest.mark.parametrize(
    ("address", "extra"), [(File(Path("x.db")), r"\[milvus-lite\]"), (Server("http://localhost:1"), r"\[milvus\]")]
)
def test_without_the_packages_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, address: File | Server, extra: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pymilvus", None)

    with pytest.raises(ExtraMissing, match=extra):
        Connection(address)
