"""How a CPU's cores are shared, and that sharing them changes no result."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.encoder import SpeechClipEncoder, load_encoder
from models.lanes import VARIABLE, lanes, share_cores, threads_per_call

LENGTHS = (1_600, 48_000, 20_000, 3_333, 16_000)


@pytest.mark.parametrize(
    ("given", "threads"), [(None, 1), ("1", 1), ("2", 2), ("0", 1), ("", 1), ("many", 1), ("-2", 1), ("4,2", 1)]
)
def test_an_utterance_has_one_thread_unless_told_otherwise(
    given: str | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is None:
        monkeypatch.delenv(VARIABLE, raising=False)
    else:
        monkeypatch.setenv(VARIABLE, given)

    assert threads_per_call() == threads


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux tells which cores a process may use")
@pytest.mark.parametrize(("threads", "expected"), [("1", 6), ("2", 3), ("4", 1), ("64", 1)])
def test_as_many_go_side_by_side_as_there_are_cores_for(
    threads: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.setattr("models.cores.QUOTA", tmp_path / "cpu.max")
    monkeypatch.setenv(VARIABLE, threads)

    assert lanes() == expected


def test_torch_keeps_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setenv(VARIABLE, "1")
    try:
        share_cores()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 1
    finally:
        torch.set_num_threads(before)


def test_an_utterance_has_the_same_vector_alone_and_beside_others(tiny_model: Path) -> None:
    encoder = load_encoder(str(tiny_model))
    random = np.random.default_rng(0)
    waves = [random.standard_normal(length).astype(np.float32) * 0.1 for length in LENGTHS]
    alone = _vectors(encoder, waves)
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(lambda _: _vectors(encoder, waves), range(16)))

    assert all(found == alone for found in beside)


def _vectors(encoder: SpeechClipEncoder, waves: Sequence[NDArray[np.float32]]) -> list[bytes]:
    return [encoder.embed_speech([wave]).vectors.tobytes() for wave in waves]
