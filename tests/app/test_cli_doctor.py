"""`speechclip doctor`: one look at everything, which changes nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.settings import Settings
from index.records import Record
from index.store import Store
from models.published.shelf import SHIPPED, fingerprint
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import FakeEncoder
from tests.index.test_inspection import state_of
from tests.patience import WAIT_S

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def speechclip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Speechclip:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SPEECHCLIP_{name.upper()}", raising=False)
    monkeypatch.setenv("SPEECHCLIP_PORT", "0")
    (tmp_path / "data").mkdir()
    return make_speechclip(tmp_path / "data", FakeEncoder(), monkeypatch)


def fill(speechclip: Speechclip, name: str, mark: str) -> None:
    with Store(speechclip.data / "collections").create(name, "images", 4, mark) as collection:
        collection.add([Record("a")], np.eye(4, dtype=np.float32)[:1])


def areas(findings: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {one["area"]: one for one in findings}


def test_a_good_installation_is_a_table_and_status_0(speechclip: Speechclip) -> None:
    result = speechclip.run("doctor", SPEECHCLIP_PORT="0")

    assert result.exit_code == 0, result.stdout
    assert result.stdout.splitlines()[-1].endswith(" 0 to repair.")
    assert "nano" in result.stdout


def test_every_collection_has_its_line(speechclip: Speechclip) -> None:
    fill(speechclip, "good", fingerprint(SHIPPED / "nano"))
    fill(speechclip, "foreign", "cd" * 32)
    fill(speechclip, "images", "cd" * 32)  # made anew at the next start
    fill(speechclip, "broken", "cd" * 32)
    (speechclip.data / "collections" / "broken" / "records.sqlite").write_bytes(b"x")
    found = areas(speechclip.json("doctor", status=1)["findings"])

    assert (found["good"]["level"], found["good"]["found"]) == ("ok", "images, 1 records")
    assert found["images"]["level"] == "ok"
    assert found["foreign"]["level"] == "warn"
    assert "made by the model cdcdcdcdcdcd" in found["foreign"]["found"]
    assert found["broken"]["level"] == "fail"
    assert "snapshot" in found["broken"]["advice"]


def test_it_changes_nothing_also_beside_somebody_who_writes(speechclip: Speechclip) -> None:
    fill(speechclip, "good", fingerprint(SHIPPED / "nano"))
    with Store(speechclip.data / "collections").open("good") as collection:
        collection.add([Record("b")], np.eye(4, dtype=np.float32)[:1])
        before = state_of(speechclip.data)
        found = areas(speechclip.json("doctor")["findings"])
        assert state_of(speechclip.data) == before
        collection.add([Record("c")], np.eye(4, dtype=np.float32)[:1])

    assert "in use by a running service" in found["good"]["found"]


def test_a_setting_that_is_refused_is_told_with_the_rest(speechclip: Speechclip) -> None:
    result = speechclip.run("doctor", SPEECHCLIP_MAX_SECONDS="-1")

    assert result.exit_code == 1
    assert "SPEECHCLIP_MAX_SECONDS" in result.stdout
    assert "python" in result.stdout
    assert "clock" in result.stdout


def test_it_is_quick_because_it_does_not_bring_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from app.cli.doctor import doctor; from pathlib import Path\n"
        "doctor(None, Path(sys.argv[1]), True); print('torch' in sys.modules, file=sys.stderr)"
    )
    before = processor_s()
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S
    )

    assert done.stderr.splitlines()[-1] == "False"
    assert processor_s() - before < 60


def processor_s() -> float:
    """Of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
