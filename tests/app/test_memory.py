"""The memory of the device that the model is on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import memory
from app.memory import allowed_memory, available_memory, memory_in_use
from app.metrics import Metrics
from models.protocol import Memory
from tests.fake_encoder import FakeEncoder

HELD = 64 << 20


class OnDevice(FakeEncoder):
    def device_memory(self) -> Memory:
        return Memory(70, 100)


@pytest.fixture
def child() -> Iterator[None]:
    """A process that this one has started, and that holds some memory."""
    program = f"held = b'x' * {HELD}; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield
        running.communicate(b"\n")


def test_a_gpu_that_is_in_use_is_the_device() -> None:
    assert memory_in_use(OnDevice()) == ("cuda", Memory(70, 100))


@pytest.mark.parametrize("encoder", [None, FakeEncoder()])
def test_else_it_is_this_process_on_this_machine(encoder: FakeEncoder | None) -> None:
    device, (used, total) = memory_in_use(encoder)

    assert device == "cpu"
    assert 1_000_000 < used < total


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells")
def test_what_it_has_started_counts(request: pytest.FixtureRequest) -> None:
    _, alone = memory_in_use(None)
    request.getfixturevalue("child")
    _, both = memory_in_use(None)

    assert both.used - alone.used > HELD


def test_a_containers_bound_goes_before_the_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    machine = allowed_memory()
    (tmp_path / "memory.max").write_text("max\n")
    assert allowed_memory() == machine
    (tmp_path / "memory.max").write_text("1048576\n")

    assert allowed_memory() == available_memory() == 1_048_576


def test_a_device_that_the_model_has_left_is_forgotten() -> None:
    metrics = Metrics()
    metrics.measure("cpu", Memory(1, 2))
    metrics.measure("cuda", Memory(70, 100))

    told = [
        line for line in metrics.render().decode().splitlines() if line.startswith("speechclip_device_memory_bytes{")
    ]
    assert len(told) == 2
    assert all('device="cuda"' in line for line in told)
