"""The memory of the device that the model is on."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from app import memory
from app.memory import Memory, allowed_memory, available_memory, memory_in_use


def fake_torch(monkeypatch: pytest.MonkeyPatch, initialised: bool) -> None:
    cuda = SimpleNamespace(is_initialized=lambda: initialised, mem_get_info=lambda: (30, 100))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))


def test_a_gpu_that_is_in_use_is_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_torch(monkeypatch, initialised=True)

    assert memory_in_use() == ("cuda", Memory(70, 100))


@pytest.mark.parametrize("has_torch", [True, False])
def test_else_it_is_this_process_on_this_machine(monkeypatch: pytest.MonkeyPatch, has_torch: bool) -> None:
    fake_torch(monkeypatch, initialised=False)
    if not has_torch:
        monkeypatch.delitem(sys.modules, "torch")
    device, (used, total) = memory_in_use()

    assert device == "cpu"
    assert 1_000_000 < used < total


def test_a_containers_bound_goes_before_the_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    machine = allowed_memory()
    (tmp_path / "memory.max").write_text("max\n")
    assert allowed_memory() == machine
    (tmp_path / "memory.max").write_text("1048576\n")

    assert allowed_memory() == available_memory() == 1_048_576
