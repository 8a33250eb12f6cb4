"""A corpus that is made, interrupted, gone on with, and enlarged."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.patience import wait_until
from tests.training.scenes.scene_packages import Choir
from training.datasets.check import check
from training.errors import NotReady
from training.scenes.corpus import make_corpus, total
from training.scenes.shards import Recipe

SIZES = {"train": 5, "dev": 3, "test_voices": 2, "test_compositions": 2, "test_drawings": 1}


@pytest.fixture
def recipe(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr("training.scenes.shards.heard_in_training", lambda packages: {"espeak": Choir})
    monkeypatch.setattr("training.scenes.shards.never_heard", lambda packages: {"flite": Choir})
    monkeypatch.setattr("training.scenes.corpus.missing", lambda engines: [])
    return Recipe(packages, 1, {"espeak": 1.0}, {"flite": 1.0}, size=2)


def make(recipe: Recipe, out: Path, sizes: Mapping[str, int] = SIZES) -> Mapping[str, bytes]:
    """The tar files that are there in the end."""
    *_, done = make_corpus(recipe, out, sizes, workers=1)
    assert done == total(recipe, sizes)
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.tar"))}


def test_all_splits_are_there_in_whole_tar_files(recipe: Recipe, tmp_path: Path) -> None:
    tars = make(recipe, tmp_path)

    assert [*tars] == [
        "dev-000000.tar",
        "dev-000001.tar",
        "test_compositions-000000.tar",
        "test_drawings-000000.tar",
        "test_voices-000000.tar",
        "train-000000.tar",
        "train-000001.tar",
        "train-000002.tar",
    ]
    report = check("webdataset", tmp_path, None, thorough=True)
    assert report.sound
    assert {split.split: split.images for split in report.splits} == {
        "dev": 4,
        "test_compositions": 2,
        "test_drawings": 2,
        "test_voices": 2,
        "train": 6,
    }


def test_progress_is_told_from_what_is_there_on(recipe: Recipe, tmp_path: Path) -> None:
    assert [*make_corpus(recipe, tmp_path, SIZES, workers=1)] == [*range(0, 17, 2)]
    assert [*make_corpus(recipe, tmp_path, SIZES, workers=1)] == [16]


def test_what_was_interrupted_ends_the_same(recipe: Recipe, tmp_path: Path) -> None:
    whole = make(recipe, tmp_path / "whole")
    out = tmp_path / "interrupted"
    for stop in (1, 3):
        run = make_corpus(recipe, out, SIZES, workers=1)
        for _ in range(stop):
            next(run)
        run.close()  # type: ignore[attr-defined]
        (out / "train-000002.partial").write_bytes(b"half")

    assert make(recipe, out) == whole


def test_a_larger_corpus_begins_with_the_smaller_one(recipe: Recipe, tmp_path: Path) -> None:
    small = make(recipe, tmp_path)
    large = make(recipe, tmp_path, {**SIZES, "train": 9})

    assert small.items() < large.items()
    assert len(large) == len(small) + 2


def test_another_seed_or_other_voices_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    make(recipe, tmp_path, {"dev": 1})

    for other in (replace(recipe, seed=2), replace(recipe, shares={"espeak": 2.0}), replace(recipe, size=3)):
        with pytest.raises(NotReady, match="choose another folder"):
            make(other, tmp_path, {"dev": 1})
    (tmp_path / "corpus.json").write_text("{")
    with pytest.raises(NotReady, match="choose another folder"):
        make(recipe, tmp_path, {"dev": 1})


def test_two_at_once_are_one_too_many(recipe: Recipe, tmp_path: Path) -> None:
    first = make_corpus(recipe, tmp_path, SIZES, workers=1)
    next(first)

    with pytest.raises(NotReady, match="another process makes scenes"):
        make(recipe, tmp_path)
    first.close()  # type: ignore[attr-defined]
    assert len(make(recipe, tmp_path)) == 8


def test_what_has_to_be_installed_is_told_before_anything_is_made(packages: Path, tmp_path: Path) -> None:
    recipe = Recipe(packages, 1, {"espeak": 1.0}, {"flite": 1.0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.which", lambda name: None)
        with pytest.raises(NotReady, match="install first: espeak-ng, flite"):
            make(recipe, tmp_path / "out")

    assert not (tmp_path / "out").exists()


PROGRAM = """
import sys
from pathlib import Path
from training.scenes.corpus import make_corpus
from training.scenes.shards import Recipe

if __name__ == "__main__":
    recipe = Recipe(Path(sys.argv[1]), 1, {"espeak": 1.0}, {}, size=3)
    for done in make_corpus(recipe, Path(sys.argv[2]), {"train": 9, "dev": 9}, workers=2):
        print(done, flush=True)
"""


def killed_half_way(program: Path, packages: Path, out: Path) -> list[Path]:
    """The processes of the workers, as Linux lists them."""
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(program), str(packages), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert [process.stdout.readline(), process.stdout.readline()] == ["0\n", "3\n"]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers = children.read_text().split() if children.exists() else []
        process.send_signal(signal.SIGKILL)
    return [Path("/proc") / worker for worker in workers]


@pytest.mark.slow
@pytest.mark.usefixtures("espeak")
def test_killed_while_it_works_it_ends_the_same_and_leaves_nobody_behind(packages: Path, tmp_path: Path) -> None:
    workers = killed_half_way(tmp_path / "program.py", packages, tmp_path / "killed")
    wait_until(lambda: not any(worker.exists() for worker in workers), lambda: "a worker goes on without its parent")

    recipe = Recipe(packages, 1, {"espeak": 1.0}, {}, size=3)
    sizes = {"train": 9, "dev": 9}
    assert 1 <= len([*(tmp_path / "killed").glob("*.tar")]) < 6
    assert make(recipe, tmp_path / "killed", sizes) == make(recipe, tmp_path / "whole", sizes)


@pytest.mark.slow
@pytest.mark.usefixtures("espeak")
def test_a_worker_that_is_killed_is_told(packages: Path, tmp_path: Path) -> None:
    recipe = Recipe(packages, 1, {"espeak": 1.0}, {}, size=1)
    run = make_corpus(recipe, tmp_path, {"train": 60}, workers=2)
    assert [next(run), next(run)] == [0, 1]
    for worker in multiprocessing.active_children():
        worker.kill()

    with pytest.raises(NotReady, match="a worker was killed"):
        list(run)
    assert 1 <= len([*tmp_path.glob("*.tar")]) < 60
