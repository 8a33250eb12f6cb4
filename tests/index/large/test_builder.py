"""The process that builds: what it says, and every way in which it can end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from index.collection import Collection
from index.errors import BuildFailed, CollectionDamaged, InvalidRecipe, RecallMissed
from index.large import builder as builder_module
from index.large.builder import PREFIX, Builder, Effort, sweep
from index.large.building import INDEX, VECTORS
from index.large.matrix import Matrix
from index.records import Record
from tests.index.built_base import clustered
from tests.patience import WAIT_S


@pytest.fixture
def folder(collection: Collection, tmp_path: Path) -> Path:
    """Of a collection with some records."""
    collection.add([Record(f"id-{number}") for number in range(300)], clustered(300, 8))
    return tmp_path / "collections" / "images"


def order(folder: Path, /, **other: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "folder": str(folder), "dim": 8, "recipe": "IVF-SQ8", "recall": 0.9, "threads": 1,
        "nice": 0,
    }  # fmt: skip
    return plain | other


def quiet(*_: object) -> None:
    return None


def test_it_builds_tells_how_far_it_is_and_leaves_nothing(folder: Path) -> None:
    steps = list[tuple[str, int, int]]()
    with Builder(folder).run(order(folder), lambda *step: steps.append(step)) as (made, file):
        assert (file.seq, file.count) == (1, 300)
        assert file.built is not None
        assert file.built.recall >= 0.9
        assert (Matrix(made / VECTORS, 300, 8).vectors == clustered(300, 8)).all()
        assert (made / INDEX).is_file()
        assert made.parent == folder
    assert ("reading records", 300, 300) in steps
    assert ("adding vectors", 300, 300) in steps
    assert not list(folder.glob(f"{PREFIX}*"))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"recipe": "IVF-PQ", "recall": 1.1}, RecallMissed, r"not 1\.1, over 300 vectors"),
        ({"folder": "missing"}, CollectionDamaged, "has no manifest.json"),
        ({"recipe": "none"}, BuildFailed, "the build ended with status 1"),
        ({"nice": "very"}, BuildFailed, "nice"),
    ],
)
def test_what_goes_wrong_there_is_raised_here(
    folder: Path, wrong: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message), Builder(folder).run(order(folder, **wrong), quiet):
        pytest.fail("nothing was built")
    assert not list(folder.glob(f"{PREFIX}*"))


def test_too_few_vectors_for_a_recipe_are_refused(collection: Collection, folder: Path) -> None:
    collection.delete([f"id-{number}" for number in range(290)])
    run = Builder(folder).run(order(folder, recipe="IVF-PQ"), quiet)
    with pytest.raises(InvalidRecipe, match="IVF-PQ needs 16 vectors or more, not 10"), run:
        pytest.fail("nothing was built")


def during_a_build(builder: Builder, folder: Path, act: Callable[[int], object]) -> str:
    """Let another thread act on the process as soon as it has said something; what was raised."""

    def tell(*_: object) -> None:
        acting = threading.Thread(target=work)
        acting.start()
        acting.join()

    def work() -> None:
        assert builder._process is not None
        act(builder._process.pid)

    for _ in range(10):  # it may have ended well when it is acted on
        try:
            with builder.run(order(folder, recipe="HNSW"), tell):
                pass
        except BuildFailed as error:
            return str(error)
    pytest.fail("nothing stopped it")


def test_a_process_that_has_said_all_need_not_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder_module, "GRACE_S", 0.0)

    with Builder(folder).run(order(folder), quiet) as (out, _):
        assert (out / INDEX).is_file()


def test_a_cancelled_build_ends_and_no_other_starts(folder: Path) -> None:
    builder = Builder(folder)
    assert "cancelled" in during_a_build(builder, folder, lambda _: builder.cancel())
    with pytest.raises(BuildFailed, match="cancelled"), builder.run(order(folder), quiet):
        pytest.fail("nothing was built")


def test_a_killed_build_is_told_as_that(folder: Path) -> None:
    error = during_a_build(Builder(folder), folder, lambda pid: os.kill(pid, signal.SIGKILL))
    assert "status -9" in error


def test_a_build_that_cannot_be_started_is_told_as_that(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(folder / "no-python"))

    run = Builder(folder).run(order(folder), quiet)
    with pytest.raises(BuildFailed, match=r"could not be started: .*no-python"), run:
        pytest.fail("nothing was built")
    assert not list(folder.glob(f"{PREFIX}*"))


def test_what_killed_builds_left_is_swept(folder: Path) -> None:
    (folder / f"{PREFIX}old").mkdir()
    (folder / f"{PREFIX}old" / VECTORS).write_bytes(b"half")
    sweep(folder)
    assert not list(folder.glob(f"{PREFIX}*"))


def test_it_ends_with_whoever_started_it(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    text = json.dumps({**order(folder, recipe="HNSW"), "out": str(out)})
    command = [sys.executable, "-m", "index.large.building", text]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere) as child:
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(timeout=WAIT_S) == 1


def test_effort_is_all_there_is_or_half_and_aside() -> None:
    assert Effort.full().nice == 0
    assert Effort.aside().nice > 0
    assert 1 <= Effort.aside().threads <= Effort.full().threads
