"""The device, memory, disk and clock."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.diagnosis import machine
from app.settings import Settings
from tests.app.diagnosis.told import told


def test_a_gpu_beside_a_build_without_one_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "DRIVER", tmp_path)
    monkeypatch.setattr(machine, "version", lambda name: "2.13.0+cpu")

    assert "is a build without one" in told(machine.check_device(), "warn")


@pytest.mark.parametrize(
    ("usable", "level", "words"), [(True, "ok", "Fast GPU, 2.0 of 4.0 GiB"), (False, "fail", "13.0")]
)
def test_a_gpu_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, usable: bool, level: str, words: str) -> None:
    cuda = SimpleNamespace(
        is_available=lambda: usable, mem_get_info=lambda: (2**31, 2**32), get_device_name=lambda: "Fast GPU"
    )
    torch: Any = SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda="13.0"))
    monkeypatch.setitem(__import__("sys").modules, "torch", torch)
    monkeypatch.setattr(machine, "DRIVER", tmp_path)
    monkeypatch.setattr(machine, "version", lambda name: "2.13.0+cu130")

    assert words in told(machine.check_device(), level)


def test_the_data_folder_and_its_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(free=10**12)
    monkeypatch.setattr(machine, "shutil", SimpleNamespace(disk_usage=lambda path: usage))
    new = settings.model_copy(update={"data": settings.data / "new" / "deep"})
    assert [one.level for one in machine.check_data(new)] == ["ok", "ok"]
    assert not new.data.exists()

    usage.free = 10**9
    assert "only 0.9 GiB free" in told(machine.check_data(settings), "warn")
    usage.free = 10**6
    assert "nothing can be stored" in told(machine.check_data(settings), "fail")


def test_a_data_folder_that_is_a_file_or_not_ours(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    file = settings.data / "file"
    file.touch()
    assert "is no folder" in told(machine.check_data(settings.model_copy(update={"data": file})), "fail")
    monkeypatch.setattr(machine, "is_writable", lambda path: False)
    assert "cannot be written to" in told(machine.check_data(settings), "fail")


def test_little_memory_and_a_clock_that_is_behind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 10**8)
    assert "SPEECHCLIP_MAX_BUFFERED_BYTES" in told(machine.check_memory(settings), "warn")
    monkeypatch.setattr(machine, "time", SimpleNamespace(time=lambda: 0.0, strftime=time.strftime, gmtime=time.gmtime))
    assert "1970" in told(machine.check_clock(), "warn")
