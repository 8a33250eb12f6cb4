"""`speechclip index` that is killed, or stopped: what it had stored is there, and the next run does the rest."""

from __future__ import annotations

import io
import json
import random
import signal
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from index.store import Store
from tests.app.indexing_process import start, wait_for_records
from tests.fake_encoder import WORDS, drawn
from tests.patience import WAIT_S

COUNT = 2000


@pytest.fixture
def source(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The same items in the form that the test asks for."""
    return _tar(tmp_path / "a.tar") if request.param == "tar" else _table(tmp_path / "a.jsonl")


def _tar(path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        for number in range(COUNT):
            data = drawn(list(WORDS)[number % len(WORDS)])
            info = tarfile.TarInfo(f"{number:05}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def _table(path: Path) -> Path:
    rows = [{"id": f"{number:05}", "text": f"dog {number}"} for number in range(COUNT)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def stored(data: Path) -> list[str]:
    with Store(data / "collections").open("pets") as collection:
        return [record.id for record in collection.list(2 * COUNT)]


def finish(data: Path, source: Path) -> dict[str, Any]:
    process = start(data, "pets", source, seconds=0.0)
    output, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, errors
    report: dict[str, Any] = json.loads(output)
    return report


@pytest.mark.slow
@pytest.mark.parametrize("source", ["tar", "table"], indirect=True)
def test_a_run_that_was_killed_goes_on_at_the_next_item(tmp_path: Path, source: Path) -> None:
    data, before = tmp_path / "data", 0
    for seed in range(3):
        process = start(data, "pets", source)
        wait_for_records(data, "pets", process)
        time.sleep(random.Random(seed).uniform(0.0, 0.3))
        process.kill()
        process.communicate()
        kept = stored(data)
        assert before < len(kept) < COUNT
        before = len(kept)

    report = finish(data, source)
    assert (report["known"], report["added"]) == (before, COUNT - before)
    assert 0 < report["known"] < COUNT
    assert stored(data) == [f"{number:05}" for number in range(COUNT)]


@pytest.mark.parametrize("source", ["tar"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_says_how_far_it_came(tmp_path: Path, source: Path, number: signal.Signals) -> None:
    data = tmp_path / "data"
    process = start(data, "pets", source)
    wait_for_records(data, "pets", process)
    process.send_signal(number)
    output, errors = process.communicate(timeout=WAIT_S)

    report = json.loads(output)
    assert (process.returncode, report["stopped"], errors) == (130, True, "")
    assert 0 < report["added"] < COUNT
    assert len(stored(data)) == report["count"] == report["added"]
    assert finish(data, source)["known"] == report["added"]
