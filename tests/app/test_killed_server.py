"""A real service, killed at random moments while clients write: what it answered is there, and each batch once.

`SPEECHCLIP_SERVER_KILLS` says how often; each start costs seconds.
"""

from __future__ import annotations

import base64
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.app.test_server import Process
from tests.fake_encoder import WORDS, drawn
from tests.patience import WAIT_S

KILLS = int(os.environ.get("SPEECHCLIP_SERVER_KILLS", "5"))
CLIENTS = 3
IDS = 12
ITEMS = "/collections/mine/items"


@dataclass
class Client:
    """Writes batch after batch over its own ids, each until it is answered, however often the service dies."""

    number: int
    done: int = 0
    """Batches that were answered."""
    contents: dict[str, int] = field(default_factory=dict)
    """The batch that each of its records is of."""

    def write_until_it_is_gone(self, url: str) -> None:
        with httpx2.Client(base_url=url, timeout=WAIT_S) as http:
            try:
                while True:
                    self._write(http, self.done + 1)
                    self.done += 1
            except httpx2.TransportError:
                return

    def _write(self, http: httpx2.Client, batch: int) -> None:
        if batch % 5 == 0:
            id = min(self.contents)
            answer = http.delete(f"{ITEMS}/{id}")
            # Gone already, if it was the answer that was lost.
            assert answer.status_code in (200, 404), answer.text
            del self.contents[id]
            return
        ids = self._ids(batch)
        body = {"items": [self._item(id, batch) for id in ids]}
        answer = http.post(ITEMS, json=body, headers={"Idempotency-Key": f"{self.number}-{batch}"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["ids"] == ids
        self.contents |= dict.fromkeys(ids, batch)

    def _ids(self, batch: int) -> list[str]:
        chance = random.Random(f"{self.number} {batch}")
        return [f"{self.number}/{number}" for number in chance.sample(range(IDS), 4)]

    def _item(self, id: str, batch: int) -> dict[str, Any]:
        image = {"data": base64.b64encode(picture(self.number, batch)).decode()}
        return {"id": id, "image": image, "metadata": {"batch": batch}}


def picture(client: int, batch: int) -> bytes:
    """Of few words in many sizes, so that most batches bring a file that is new."""
    return drawn(list(WORDS)[client], size=(8 + batch % 64, 8 + client))


@contextmanager
def upkeep(url: str) -> Iterator[None]:
    """Compacts, and makes and restores snapshots under another name, until the service is gone."""
    stop = threading.Event()

    def keep() -> None:
        with httpx2.Client(base_url=url, timeout=WAIT_S) as http:
            try:
                while not stop.is_set():
                    assert http.post("/collections/mine/compact").status_code == 200
                    made = http.post("/collections/mine/snapshot").json()["name"]
                    again = {"snapshot": made, "replace": True}
                    assert http.post("/collections/copy/restore", json=again).status_code == 200
            except httpx2.TransportError:
                return

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def serve_and_kill(data: Path, clients: list[Client], chance: random.Random) -> None:
    process = Process(data)
    before = sum(client.done for client in clients)
    with ThreadPoolExecutor(len(clients)) as pool, upkeep(process.url):
        writing = [pool.submit(client.write_until_it_is_gone, process.url) for client in clients]
        wanted, until = before + chance.randrange(3, 40), time.monotonic() + WAIT_S
        while sum(client.done for client in clients) < wanted and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.02))
        process.process.kill()
        for one in writing:
            one.result()
    process.end()


@pytest.mark.slow
def test_a_killed_service_loses_nothing_it_answered(tmp_path: Path) -> None:
    process = Process(tmp_path)
    assert httpx2.put(f"{process.url}/collections/mine", timeout=WAIT_S).status_code == 201
    process.process.kill()
    process.end()
    clients, chance = [Client(number) for number in range(CLIENTS)], random.Random(7)
    for _ in range(KILLS):
        serve_and_kill(tmp_path, clients, chance)
    process = Process(tmp_path)
    try:
        with httpx2.Client(base_url=process.url, timeout=WAIT_S) as http:
            finish(http, clients)
            assert_holds(http, clients)
    finally:
        process.process.terminate()
    assert process.end() == 0
    print(f"{KILLS} kills, {sum(client.done for client in clients)} batches")


def finish(http: httpx2.Client, clients: list[Client]) -> None:
    """What is in doubt is sent again, and then there is no doubt."""
    for client in clients:
        client._write(http, client.done + 1)
        client.done += 1


def assert_holds(http: httpx2.Client, clients: list[Client]) -> None:
    expected = {id: (client, batch) for client in clients for id, batch in client.contents.items()}
    listed = http.get(ITEMS, params={"limit": 1000}).json()
    assert {item["id"]: item["metadata"]["batch"] for item in listed["items"]} == {
        id: batch for id, (_, batch) in expected.items()
    }
    assert listed["collection"]["version"] == sum(client.done for client in clients)  # each batch once
    for id, (client, batch) in expected.items():
        assert http.get(f"/media/mine/{id}").content == picture(client.number, batch)
    found = http.post("/search/mine", json={"text": "dog", "top_k": 1000}).json()["results"]
    assert {result["id"] for result in found} == expected.keys()
    copy = http.get("/collections/copy")
    assert copy.status_code == 404 or copy.json()["status"] == "ready"
