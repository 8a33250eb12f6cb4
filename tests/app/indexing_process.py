"""`speechclip index` as a process of its own, with an encoder that needs no model but takes its time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, time
from types import ModuleType
from app.cli import program
from tests.fake_encoder import FakeEncoder

class Slow(FakeEncoder):
    def _embed(self, kind, words):
        time.sleep({seconds})
        return super()._embed(kind, words)

module = ModuleType("models.encoder")
module.load_encoder = lambda name, precision: Slow()
sys.modules["models.encoder"] = module
program(prog_name="speechclip")
"""


def start(data: Path, *arguments: object, seconds: float = 0.05) -> subprocess.Popen[str]:
    """Begin to index; every batch takes so many seconds."""
    command = [sys.executable, "-c", PROGRAM.format(seconds=seconds), "index", *map(str, arguments), "--json"]
    environment = {**os.environ, "SPEECHCLIP_DATA": str(data), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_records(data: Path, name: str, process: subprocess.Popen[str]) -> None:
    """Until it has stored something: the write-ahead log holds more than the beginnings of a collection."""
    log = data / "collections" / name
    until = time.monotonic() + 60
    while sum(path.stat().st_size for path in log.glob("records*-wal")) < 20_000:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.005)
