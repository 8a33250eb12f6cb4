"""`speechclip index` as a process of its own, with an encoder that needs no model but takes its time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.patience import wait_until

QUICK = 10
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, time
from types import ModuleType
from app.cli import program
from tests.fake_encoder import FakeEncoder

class Slow(FakeEncoder):
    def _embed(self, kind, words):
        time.sleep({seconds} * (1 if len(self.batches) < {quick} else 20))
        return super()._embed(kind, words)

module = ModuleType("models.encoder")
module.load_encoder = lambda name, precision: Slow()
sys.modules["models.encoder"] = module
program(prog_name="speechclip")
"""


def start(data: Path, *arguments: object, seconds: float = 0.05) -> subprocess.Popen[str]:
    """Begin to index; each of the first batches takes so many seconds, and later ones far more: it will not be done."""
    program = PROGRAM.format(seconds=seconds, quick=QUICK)
    command = [sys.executable, "-c", program, "index", *map(str, arguments), "--json"]
    environment = {**os.environ, "SPEECHCLIP_DATA": str(data), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_records(data: Path, name: str, process: subprocess.Popen[str]) -> None:
    """Until it has stored something: the write-ahead log holds more than the beginnings of a collection."""
    log = data / "collections" / name
    wait_until(
        lambda: process.poll() is not None or sum(path.stat().st_size for path in log.glob("records*-wal")) >= 20_000
    )
    assert process.poll() is None, process.communicate()
