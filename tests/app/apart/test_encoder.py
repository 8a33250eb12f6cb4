"""The encoder in another process: what comes out is the same, and what ends it is followed by another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image

from app.apart import ApartEncoder, encoder, process
from models.audio import decode
from models.encoder import SpeechClipEncoder, load_encoder
from models.errors import BranchError, DeviceLost, DeviceOutOfMemory, EncoderEnded, ModelFolderError
from models.lanes import share_cores
from models.protocol import Memory
from tests.fake_encoder import FakeEncoder, drawn, spoken
from tests.patience import wait_until
from tests.tiny_model import save_tiny_model

DYING = """
import os, signal, sys
from app.apart import ApartEncoder

print(ApartEncoder(sys.argv[1], program=sys.argv[2:]).pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
KILLS = 5
ODD = ("-m", "tests.app.apart.odd_worker")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny", branch="hybrid")


@pytest.fixture
def here(model: Path) -> Iterator[SpeechClipEncoder]:
    """The same without a process of its own, with as many threads for each call."""
    threads = torch.get_num_threads()
    share_cores()
    yield load_encoder(str(model))
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def apart(model: Path) -> Iterator[ApartEncoder]:
    """As the service has it."""
    made = ApartEncoder(str(model))
    yield made
    made.close()


@pytest.fixture
def restarts() -> list[None]:
    """As long as there were restarts."""
    return []


@pytest.fixture
def odd(tmp_path: Path, restarts: list[None]) -> Iterator[ApartEncoder]:
    """One without a network, that texts can break."""
    made = ApartEncoder(str(tmp_path), on_restart=lambda: restarts.append(None), program=ODD)
    yield made
    made.close()


def is_there(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_is_what_it_would_be_here(apart: ApartEncoder, here: SpeechClipEncoder) -> None:
    for name in ("name", "fingerprint", "card", "dim", "image_size", "precision", "lanes", "batched"):
        assert getattr(apart, name) == getattr(here, name), name
    assert list(apart.branches) == list(here.branches)
    assert apart.device_memory() is None


def test_vectors_are_the_same_to_the_last_bit(apart: ApartEncoder, here: SpeechClipEncoder) -> None:
    noise = np.random.default_rng(7)
    waves = [noise.standard_normal(length, np.float32) / np.float32(9) for length in (5_000, 48_000)]
    images = [Image.effect_noise((90, 30), 90).convert("P"), Image.new("RGBA", (5, 70), (9, 9, 9, 9))]

    for branch in ("parallel", "cascaded"):
        found, expected = apart.embed_speech(waves, branch, True), here.embed_speech(waves, branch, True)
        assert np.array_equal(found.vectors, expected.vectors)
        assert repr(found.keywords) == repr(expected.keywords)
    assert apart.embed_speech(waves).keywords is None
    assert np.array_equal(apart.embed_images(images), here.embed_images(images))
    assert np.array_equal(apart.embed_texts(["a dog", ""]), here.embed_texts(["a dog", ""]))
    assert repr(apart.slot_words(["dog", ""])) == repr(here.slot_words(["dog", ""]))


def test_refusals_are_the_same(apart: ApartEncoder, odd: ApartEncoder) -> None:
    with pytest.raises(RuntimeError, match="ValueError: an utterance of 5 samples is too short"):
        apart.embed_speech([np.zeros(5, np.float32)])
    with pytest.raises(BranchError):
        odd.embed_texts(["no branch"])
    with pytest.raises(DeviceOutOfMemory, match="2 GiB"):
        odd.embed_texts(["too much"])
    with pytest.raises(RuntimeError, match="KeyError: 'wrong'"):
        odd.embed_texts(["wrong"])


def test_a_model_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="nowhere"):
        ApartEncoder(str(tmp_path / "nowhere"))
    (tmp_path / "unreadable").touch()
    with pytest.raises(ModelFolderError, match="cannot be read"):
        ApartEncoder(str(tmp_path), program=ODD)


def test_a_process_that_does_not_start_says_so(tmp_path: Path) -> None:
    (tmp_path / "crashing").touch()
    with pytest.raises(EncoderEnded, match="it crashed, with status -6"):
        ApartEncoder(str(tmp_path), program=ODD)


def test_its_lanes_work_side_by_side(odd: ApartEncoder) -> None:
    vector = FakeEncoder().vector("dog")
    with ThreadPoolExecutor(8) as many:
        found = list(many.map(lambda _: odd.embed_texts(["dog"])[0], range(200)))
    assert all(np.array_equal(one, vector) for one in found)


def test_what_ends_the_process_once_nobody_notices(odd: ApartEncoder, restarts: list[None]) -> None:
    before = odd.pid

    found = odd.embed_texts(["deadly at first"])

    assert np.array_equal(found[0], FakeEncoder().vector("deadly at first"))
    assert odd.pid != before
    assert len(restarts) == 1


def test_a_process_that_is_killed_is_followed_by_another(odd: ApartEncoder, restarts: list[None]) -> None:
    vector = FakeEncoder().vector("dog")
    for kills in range(1, 4):
        os.kill(odd.pid, signal.SIGKILL)
        with ThreadPoolExecutor(4) as many:
            found = list(many.map(lambda _: odd.embed_texts(["dog"])[0], range(20)))
        assert all(np.array_equal(one, vector) for one in found)
        assert len(restarts) == kills


def test_a_process_that_ends_while_nobody_asks_it_is_followed_too(
    tmp_path: Path, restarts: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "WATCH_S", 0.05)
    odd = ApartEncoder(str(tmp_path), on_restart=lambda: restarts.append(None), program=ODD)
    before = odd.pid
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: odd.pid != before)

    assert odd.embed_texts(["dog"]).shape == (1, 16)
    assert len(restarts) == 1
    odd.close()


def test_one_that_does_not_start_again_is_tried_until_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "WATCH_S", 0.05)
    odd = ApartEncoder(str(tmp_path), program=ODD)
    before = odd.pid
    (tmp_path / "unreadable").touch()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: int((tmp_path / "starts").read_text()) > 2)
    (tmp_path / "unreadable").unlink()
    wait_until(lambda: odd.pid != before)

    assert odd.embed_texts(["dog"]).shape == (1, 16)
    odd.close()


def test_what_ends_the_process_every_time_fails(odd: ApartEncoder, restarts: list[None]) -> None:
    with pytest.raises(EncoderEnded, match="it crashed, with status -6"):
        odd.embed_texts(["deadly"])

    assert np.array_equal(odd.embed_texts(["dog"])[0], FakeEncoder().vector("dog"))
    assert len(restarts) == 2


def test_a_lost_device_is_there_again_for_the_next_process(odd: ApartEncoder, restarts: list[None]) -> None:
    with pytest.raises(DeviceLost):
        odd.embed_texts(["lost"])

    assert np.array_equal(odd.embed_texts(["lost"])[0], FakeEncoder().vector("lost"))
    assert len(restarts) == 1


def test_a_process_that_no_longer_answers_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CALL_S", 3.0)
    odd = ApartEncoder(str(tmp_path), program=ODD)

    assert odd.embed_texts(["endless at first"]).shape == (1, 16)
    os.kill(odd.pid, signal.SIGSTOP)
    assert odd.embed_texts(["a long text " * 1_000_000]).shape == (1, 16)
    odd.close()


def test_others_do_not_fail_beside_one_that_ends_the_process_every_time(
    odd: ApartEncoder, restarts: list[None]
) -> None:
    with ThreadPoolExecutor(6) as many:
        deadly = [many.submit(odd.embed_texts, ["deadly"]) for _ in range(2)]
        others = [many.submit(odd.embed_texts, ["dog"]) for _ in range(12)]
    assert all(isinstance(one.exception(), EncoderEnded) for one in deadly)
    assert all(np.array_equal(one.result()[0], FakeEncoder().vector("dog")) for one in others)
    assert len(restarts) >= 2


def test_a_system_that_starts_no_process_for_a_moment_is_waited_for(
    odd: ApartEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = iter([OSError("no memory"), OSError("no memory")])

    def start(*arguments: Any) -> Any:
        for error in refusals:
            raise error
        return started(*arguments)

    started = process._started
    monkeypatch.setattr(process, "_started", start)
    monkeypatch.setattr(encoder, "PAUSES_S", (0.1, 0.1))
    os.kill(odd.pid, signal.SIGKILL)

    assert odd.embed_texts(["dog"]).shape == (1, 16)


def test_a_system_that_starts_no_process_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", Mock(side_effect=OSError(12, "Cannot allocate memory")))
    with pytest.raises(EncoderEnded, match=r"cannot be started: .*Cannot allocate memory"):
        ApartEncoder(str(tmp_path), program=ODD)


def test_while_it_starts_again_it_can_be_closed(odd: ApartEncoder, tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    os.kill(odd.pid, signal.SIGKILL)
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(odd.embed_texts, ["dog"])
        wait_until(lambda: (tmp_path / "starts").read_text() == "2")
        odd.close()
        assert isinstance(asked.exception(), EncoderEnded)


def test_a_stopped_process_keeps_nobody_who_asks_for_its_memory(
    odd: ApartEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STOP_S", 0.2)
    os.kill(odd.pid, signal.SIGSTOP)
    assert [odd.device_memory() for _ in range(500)] == [None] * 500
    os.kill(odd.pid, signal.SIGCONT)
    assert odd.embed_texts(["dog"]).shape == (1, 16)


def test_who_asks_for_its_memory_does_not_meddle_with_restarts(odd: ApartEncoder, restarts: list[None]) -> None:
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            assert odd.device_memory() in (None, Memory(odd.pid, 1 << 40)) or len(restarts) < KILLS

    with ThreadPoolExecutor(3) as many:
        asking = [many.submit(ask) for _ in range(3)]
        for _ in range(KILLS):
            os.kill(odd.pid, signal.SIGKILL)
            assert odd.embed_texts(["dog"]).shape == (1, 16)
        done.set()
    assert [one.exception() for one in asking] == [None] * 3
    assert len(restarts) == KILLS


def test_another_model_in_the_same_place_is_not_taken(odd: ApartEncoder, tmp_path: Path) -> None:
    (tmp_path / "changed").touch()
    os.kill(odd.pid, signal.SIGKILL)

    for _ in range(2):
        with pytest.raises(ModelFolderError, match="another one than at the start"):
            odd.embed_texts(["dog"])


def test_the_memory_of_its_device_is_told_meanwhile(odd: ApartEncoder) -> None:
    assert odd.device_memory() == Memory(odd.pid, 1 << 40)
    with ThreadPoolExecutor(4) as many:
        told = [many.submit(odd.device_memory) for _ in range(20)]
        odd.embed_texts(["dog"])
    assert {one.result() for one in told} == {Memory(odd.pid, 1 << 40)}
    os.kill(odd.pid, signal.SIGKILL)
    assert odd.device_memory() is None


def test_signals_for_everybody_do_not_end_it(odd: ApartEncoder) -> None:
    for signal_for_all in (signal.SIGINT, signal.SIGTERM):
        os.kill(odd.pid, signal_for_all)
    assert odd.embed_texts(["dog"]).shape == (1, 16)


def test_closed_it_is_gone(tmp_path: Path) -> None:
    odd = ApartEncoder(str(tmp_path), program=ODD)
    odd.close()

    assert not is_there(odd.pid)
    with pytest.raises(EncoderEnded):
        odd.embed_texts(["dog"])
    odd.close()


def test_it_ends_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-c", DYING, str(tmp_path), *ODD], stdout=subprocess.PIPE, check=False)

    assert told.returncode == -signal.SIGKILL
    wait_until(lambda: not is_there(int(told.stdout)))


def test_it_ends_with_whoever_started_it_while_it_is_loading_too(tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    with subprocess.Popen([sys.executable, "-c", DYING, str(tmp_path), *ODD]) as starting:
        wait_until((tmp_path / "starts").exists)
        loading = int((tmp_path / "pid").read_text())
        starting.kill()

    wait_until(lambda: not is_there(loading))


def test_speech_and_pictures_cross(odd: ApartEncoder) -> None:
    heard = odd.embed_speech([decode(spoken("dog")).samples]).vectors[0]
    seen = odd.embed_images([Image.open(BytesIO(drawn("dog")))])[0]

    assert np.array_equal(heard, FakeEncoder().vector("dog"))
    assert np.array_equal(seen, heard)
