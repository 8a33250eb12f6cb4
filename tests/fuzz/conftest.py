"""The service as a process, with a model that has no network in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import httpx2
import pytest

from tests.app.test_server import PROGRAM
from tests.fuzz.service import Service
from tests.patience import WAIT_S


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """It decodes in processes of their own, and has collections to write to; at its end, it has logged no mistake."""
    command = [sys.executable, "-c", PROGRAM]
    service = Service(command, tmp_path_factory.mktemp("fuzz"), SPEECHCLIP_DECODE_ISOLATION="true")
    for name, kind in (("mine", "images"), ("other", "captions")):
        httpx2.put(f"{service.url}/collections/{name}", json={"kind": kind}, timeout=WAIT_S).raise_for_status()
    yield service
    assert service.alive
    assert service.stop() == 0
    assert "Traceback" not in service.log
