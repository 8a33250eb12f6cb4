"""Threads that compute give way to the one that talks with clients."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from app.engine import Engine, Task
from app.engine.waiting import Bounds
from app.metrics import Metrics
from app.pools import BoundedPool
from app.priority import NICE, step_back
from models.config import Branch
from tests.fake_encoder import FakeEncoder

if TYPE_CHECKING:
    from models.encoder import SpeechEmbeddings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")

LEAST = 19


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


class Telling(FakeEncoder):
    """Notes the niceness of whoever has it encode."""

    def __init__(self) -> None:
        super().__init__()
        self.niceness: list[int] = []

    def embed_speech(
        self, waves: Sequence[NDArray[np.float32]], branch: Branch | None = None, return_keywords: bool = False
    ) -> SpeechEmbeddings:
        self.niceness.append(niceness())
        return super().embed_speech(waves, branch, return_keywords)


def test_pools_and_encoders_compute_behind_the_thread_that_asks() -> None:
    before, pool, encoder = niceness(), BoundedPool("test", threads=1, max_waiting=1), Telling()
    bounds = Bounds(waiting=1, waiting_seconds=60.0, batch=1, batch_seconds=60.0)
    engine = Engine(encoder, Metrics(), np.ones(16_000, np.float32), lambda: None, bounds)
    try:
        engine.submit(Task("speech"), np.ones(16_000, np.float32)).result()
        assert [asyncio.run(pool.run(niceness)), *encoder.niceness] == [min(before + NICE, LEAST)] * 2
        assert niceness() == before
    finally:
        engine.close(60)
        pool.close()


def test_where_it_is_forbidden_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", forbidden)
    step_back()
