"""Programs that use the service all the time, and remember what they were promised."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from speechclip_client import Client, NewItem, Retries
from tests.fake_encoder import WORDS, drawn, spoken
from tests.patience import wait_until

WORD_LIST = list(WORDS)
ONCE = Retries(tries=1)
PAUSE_S = 0.05
"""Between two calls of one program, so that the service can start beside them."""


@dataclass
class Load:
    """What was asked, and what is in the collection `mine` as far as the service has said so."""

    url: str
    counts: Counter[str] = field(default_factory=Counter)
    stored: dict[str, int] = field(default_factory=dict)
    """Ids with the round that they are of; every program has its own."""
    _rounds: Counter[int] = field(default_factory=Counter)
    """Of every program, by its thread."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def wait_for_rounds(self) -> None:
        """Until every program has begun and ended a whole one from now on."""
        before = dict(self._rounds)
        wait_until(lambda: all(self._rounds[program] > rounds + 1 for program, rounds in before.items()))

    def search(self, collection: str, retries: Retries | None = None) -> None:
        """One program that searches, by speech and by text in turn."""
        round = 0
        with Client(self.url, retries=retries) as client:
            while not self._stop.wait(PAUSE_S):
                word = WORD_LIST[round % len(WORD_LIST)]
                query = {"audio": spoken(word)} if round % 2 else {"text": word}
                found = client.search(collection, **query)
                assert found.results[0].id == word
                self.counts["searches"] += 1
                round += 1
                self._rounds[threading.get_ident()] = round

    def write(self, number: int) -> None:
        """One program that stores batches over its own ids, reads them back, and deletes."""
        with Client(self.url) as client:
            round = 0
            while not self._stop.wait(PAUSE_S):
                ids = [f"{number}/{(round + place) % 8}" for place in range(3)]
                items = [NewItem(id=id, image=picture(round), metadata={"round": round}) for id in ids]
                assert list(client.store_items("mine", items).ids) == ids
                self.stored |= dict.fromkeys(ids, round)
                self.counts["batches"] += 1
                assert client.get_item("mine", ids[0]).metadata == {"round": round}
                if round % 3 == 2:
                    client.delete_item("mine", ids[1])
                    del self.stored[ids[1]]
                    self.counts["deletions"] += 1
                round += 1
                self._rounds[threading.get_ident()] = round


def picture(round: int) -> bytes:
    return drawn(WORD_LIST[round % 5], size=(16 + round, 16))


@contextmanager
def running(load: Load, *programs: Callable[[], None]) -> Iterator[None]:
    """Raises what any program has failed with."""
    with ThreadPoolExecutor(len(programs)) as pool:
        futures: list[Future[None]] = [pool.submit(program) for program in programs]
        try:
            yield
        finally:
            load._stop.set()
        for future in futures:
            future.result()
