from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from index.durable.locks import FileLock, Gate
from index.errors import CollectionLocked
from tests.patience import WAIT_S


def test_a_second_holder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first = FileLock(tmp_path / "lock", "the cupboard")
    with pytest.raises(CollectionLocked, match="the cupboard is open elsewhere"):
        FileLock(tmp_path / "lock", "the cupboard")
    first.release()
    first.release()
    FileLock(tmp_path / "lock", "the cupboard").release()


def test_another_process_is_refused_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from index.durable.locks import FileLock\n"
        "lock = FileLock(Path(sys.argv[1]), 'it'); print('held', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(CollectionLocked):
            FileLock(tmp_path / "lock", "it")
        process.kill()
    FileLock(tmp_path / "lock", "it").release()


def test_readers_come_in_together() -> None:
    gate = Gate()
    both = threading.Barrier(2, timeout=WAIT_S)

    def read() -> None:
        with gate.read():
            both.wait()

    thread = threading.Thread(target=read)
    thread.start()
    read()
    thread.join()


def test_a_writer_waits_for_readers_and_keeps_new_ones_out() -> None:
    gate = Gate()
    events = list[str]()

    def write() -> None:
        with gate.write():
            events.append("written")

    def read() -> None:
        with gate.read():
            events.append("read")

    with gate.read():
        writer = threading.Thread(target=write)
        writer.start()
        while not gate._writers:
            time.sleep(0.001)
        reader = threading.Thread(target=read)
        reader.start()
        reader.join(0.05)
        assert events == []
    writer.join()
    reader.join()
    assert events == ["written", "read"]


def test_writers_come_in_one_by_one() -> None:
    gate = Gate()
    total = 0

    def write() -> None:
        nonlocal total
        for _ in range(200):
            with gate.write():
                before = total
                with gate_free:
                    total = before + 1

    gate_free = threading.Lock()
    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == 800


def test_an_error_inside_leaves_the_gate_usable() -> None:
    gate = Gate()
    with pytest.raises(ZeroDivisionError), gate.write():
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), gate.read():
        raise ZeroDivisionError
    with gate.write():
        pass
