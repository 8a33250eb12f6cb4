"""Threads that compute give way to the one that talks with clients."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.apart import ApartEncoder
from app.pools import BoundedPool
from app.priority import ENCODER_STEPS, POOL_STEPS, step_back
from tests.app.apart.test_encoder import ODD
from tests.patience import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")

LEAST = 19


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.fixture
def encoder(tmp_path: Path) -> Iterator[ApartEncoder]:
    encoder = ApartEncoder(str(tmp_path), program=ODD)
    yield encoder
    encoder.close()


def test_pools_and_encoders_compute_behind_the_thread_that_asks(encoder: ApartEncoder) -> None:
    before, pool = niceness(), BoundedPool("test", threads=1, max_waiting=1)

    def behind() -> int:
        """How many threads of the encoder's process are."""
        threads = [int(thread.name) for thread in Path(f"/proc/{encoder.pid}/task").iterdir()]
        return [os.getpriority(os.PRIO_PROCESS, one) for one in threads].count(min(before + ENCODER_STEPS, LEAST))

    wait_until(lambda: behind() >= 1 + encoder.lanes)
    assert asyncio.run(pool.run(niceness)) == min(before + POOL_STEPS, LEAST)
    assert niceness() == before
    pool.close()


def test_where_it_is_forbidden_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbidden)
    step_back()
