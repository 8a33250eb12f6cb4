"""Two copies of the service behind one address: what one does the other sees, and a restart loses nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from index.address import MEDIA
from speechclip_client import Client, NewItem, errors
from tests.app.conftest import make_store
from tests.app.replicas.balancer import Balancer
from tests.app.replicas.load import ONCE, WORD_LIST, Load, picture, running
from tests.app.replicas.milvus import milvus_server
from tests.app.test_server import Process
from tests.fake_encoder import FakeEncoder
from tests.patience import WAIT_S, wait_until

pytestmark = pytest.mark.slow

REPLICAS = 2


class Replicas:
    """Processes of the service behind a balancer; number N has the folder `data[N]`."""

    def __init__(self, balancer: Balancer, data: list[Path], **environment: str) -> None:
        self._balancer, self._data, self._environment = balancer, data, environment
        self.running: list[Process] = []
        self.logs = ""

    def start(self, number: int) -> None:
        process = Process(self._data[number], **self._environment)
        self.running.insert(number, process)
        self._balancer.add(self.port(number))
        wait_until(lambda: self.port(number) in self._balancer.ready)

    def stop(self, number: int, load: Load) -> None:
        """As a cluster does: it is told to end, and taken away when it has.

        For as long as it takes until no connection is led to it any more, and nobody has one from before: then the
        second signal ends its patience.
        """
        process, port = self.running[number], self.port(number)
        process.process.terminate()
        wait_until(lambda: port not in self._balancer.ready)
        load.wait_for_rounds()
        process.process.terminate()
        assert process.end() == 0
        self._balancer.remove(port)
        self.logs += "".join(self.running.pop(number).log)

    def restart_in_turn(self, load: Load) -> None:
        for number in range(REPLICAS):
            self.stop(number, load)
            self.start(number)

    def port(self, number: int) -> int:
        return int(self.running[number].url.rpartition(":")[2])

    @property
    def urls(self) -> list[str]:
        return [process.url for process in self.running]


@contextmanager
def replicas(data: list[Path], **environment: str) -> Iterator[tuple[Replicas, Balancer]]:
    with Balancer().running() as balancer:
        both = Replicas(balancer, data, SPEECHCLIP_DRAIN_S=str(WAIT_S), **environment)
        try:
            for number in range(REPLICAS):
                both.start(number)
            yield both, balancer
        finally:
            while both.running:
                both.running[0].process.kill()
                both.running.pop(0).end()


@pytest.fixture(scope="module")
def on_milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Replicas, Balancer]]:
    folder = tmp_path_factory.mktemp("milvus")
    with ExitStack() as stack:
        address = stack.enter_context(milvus_server(folder / "server.db"))
        (folder / "media").mkdir()
        for name in "ab":
            (folder / name).mkdir()
            (folder / name / MEDIA).symlink_to(folder / "media")
        yield stack.enter_context(replicas([folder / "a", folder / "b"], SPEECHCLIP_STORE=address))


@pytest.fixture
def clients(on_milvus: tuple[Replicas, Balancer]) -> Iterator[list[Client]]:
    """One for each copy, past the balancer."""
    with ExitStack() as stack:
        yield [stack.enter_context(Client(url)) for url in on_milvus[0].urls]


def test_what_one_stores_and_deletes_the_other_sees_at_once(clients: list[Client]) -> None:
    for number, (one, other) in enumerate([clients, clients[::-1]]):
        name = f"seen-{number}"
        one.create_collection(name, "captions")
        one.store_items(name, [NewItem(id=word, text=word) for word in WORD_LIST])
        assert [hit.id for hit in other.search(name, text="cat", top_k=1).results] == ["cat"]
        assert other.get_item(name, "dog").caption == "dog"

        other.delete_item(name, "cat")
        assert "cat" not in [hit.id for hit in one.search(name, text="cat").results]
        with pytest.raises(errors.ItemNotFound):
            one.get_item(name, "cat")
        other.store_items(name, [NewItem(id="cat", text="rocket")])
        assert one.get_item(name, "cat").caption == "rocket"


def test_collections_come_and_go_for_both(clients: list[Client]) -> None:
    for one, other in (clients, clients[::-1]):
        one.create_collection("passing", "images")
        assert "passing" in listed(other)
        assert other.get_collection("passing").kind == "images"
        one.delete_collection("passing")
        assert "passing" not in listed(other)
        for use in (other.get_collection, partial(other.search, text="dog"), other.delete_collection):
            with pytest.raises(errors.CollectionNotFound):
                use("passing")


def test_one_that_was_made_anew_for_another_use_is_not_taken_for_the_old_one(clients: list[Client]) -> None:
    one, other = clients
    one.create_collection("anew", "images")
    assert other.get_collection("anew").kind == "images"
    one.delete_collection("anew")
    assert other.create_collection("anew", "captions").kind == "captions"
    assert one.create_collection("anew", "captions").kind == "captions"
    one.store_items("anew", [NewItem(id="a", text="dog")])
    assert [hit.id for hit in other.search("anew", text="dog").results] == ["a"]
    with pytest.raises(errors.CollectionExists):
        other.create_collection("anew", "images")


def listed(client: Client) -> dict[str, str]:
    return {collection.name: collection.status for collection in client.list_collections()}


def test_a_rolling_restart_on_milvus_loses_nothing(on_milvus: tuple[Replicas, Balancer]) -> None:
    both, balancer = on_milvus
    before = len(both.logs)
    with Client(balancer.url) as client:
        client.create_collection("mine", "images")
        client.create_collection("words", "captions")
        client.store_items("words", [NewItem(id=word, text=word) for word in WORD_LIST])
        for url in both.urls:
            with Client(url) as one:
                one.search("words", text="dog")  # opened: it may be slow at that, and says so
        load = Load(balancer.url)
        searches = [partial(load.search, "words"), partial(load.search, "words"), partial(load.search, "words", ONCE)]
        with running(load, *searches, *(partial(load.write, number) for number in range(2))):
            wait_until(lambda: load.counts["batches"] > 10)
            both.restart_in_turn(load)
            seen = load.counts["batches"]
            wait_until(lambda: load.counts["batches"] > seen + 10)

    for url in both.urls:
        with Client(url) as client:
            assert {item.id: item.metadata["round"] for item in client.list_items("mine")} == load.stored
            for id, round in load.stored.items():
                assert client.media("mine", id) == picture(round)
    report(load, both.logs[before:])


def test_a_rolling_restart_of_copies_of_files_loses_no_search(tmp_path: Path) -> None:
    data = [tmp_path / name for name in "ab"]
    make_store(data[0] / "collections", FakeEncoder(), tmp_path)
    shutil.copytree(data[0], data[1])
    with replicas(data) as (both, balancer):
        load = Load(balancer.url)
        asking = [partial(load.search, "captions"), *[partial(load.search, "captions", ONCE)] * 3]
        with running(load, *asking):
            wait_until(lambda: load.counts["searches"] > 50)
            both.restart_in_turn(load)
            seen = load.counts["searches"]
            wait_until(lambda: load.counts["searches"] > seen + 50)
        report(load, both.logs)


def report(load: Load, log: str) -> None:
    assert log.count("stopping signal=SIGTERM") == 2 * REPLICAS
    assert "Traceback" not in log
    print(", ".join(f"{count} {what}" for what, count in sorted(load.counts.items())))
