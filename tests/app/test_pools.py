"""Only so many queries in the house, and only so many callers in front of a few threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from app.errors import Overloaded
from app.pools import Admission, BoundedPool
from tests.patience import WAIT_S


@pytest.fixture
def pool() -> Iterator[BoundedPool]:
    pool = BoundedPool("test", threads=1, max_waiting=1)
    yield pool
    pool.close()


def test_a_place_is_given_back_whatever_happened() -> None:
    admission = Admission(1)
    with pytest.raises(ZeroDivisionError), admission.hold():
        divmod(1, 0)
    with admission.hold(), pytest.raises(Overloaded):
        admission.hold().__enter__()
    with admission.hold():
        pass


def test_results_and_exceptions_come_back(pool: BoundedPool) -> None:
    assert asyncio.run(pool.run(divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(pool.run(divmod, 7, 0))


def test_more_than_may_wait_is_refused_until_there_is_room(pool: BoundedPool) -> None:
    gate = threading.Event()

    async def crowd() -> None:
        first, second = (asyncio.create_task(pool.run(gate.wait, WAIT_S)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await pool.run(gate.wait, WAIT_S)
        gate.set()
        assert await first
        assert await second
        assert await pool.run(gate.wait, WAIT_S)

    asyncio.run(crowd())


def test_a_call_that_was_cancelled_while_it_waited_is_never_made(pool: BoundedPool) -> None:
    gate, made = threading.Event(), list[str]()

    async def leave() -> None:
        first = asyncio.create_task(pool.run(gate.wait, WAIT_S))
        second = asyncio.create_task(pool.run(made.append, "second"))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.set()
        await first
        await pool.run(made.append, "third")

    asyncio.run(leave())
    assert made == ["third"]
