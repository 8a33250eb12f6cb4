"""A collection is filled, and an index is built and measured."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from bench.large_collection import facts, fill, in_a_new_process
from index.store import Store

COUNT, DIM, OTHER_MIB = 2_000, 16, 700


@pytest.fixture
def args(tmp_path: Path) -> Namespace:
    fill(Store(tmp_path), COUNT, DIM)
    return Namespace(folder=tmp_path, count=COUNT, dim=DIM)


def test_the_peak_is_that_of_the_build_and_of_no_other_process(args: Namespace) -> None:
    subprocess.run([sys.executable, "-c", f"b'x' * ({OTHER_MIB} << 20)"], check=True)

    assert 0 < in_a_new_process(args, "--build", "HNSW-SQ8")["peak MiB"] < OTHER_MIB


def test_a_build_is_measured_as_after_a_restart_and_after_a_kill(args: Namespace) -> None:
    found = facts(args, "HNSW-SQ8")

    assert found["measured recall"] >= 0.95
    assert {"recall@10", "CPU ms", "first answer s", "own MiB", "open s after a kill"} <= found.keys()


def test_a_build_that_fails_ends_the_bench(args: Namespace) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        in_a_new_process(args, "--build", "no such recipe")
