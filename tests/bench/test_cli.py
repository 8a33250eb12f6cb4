"""`speechclip bench`."""

from __future__ import annotations

import subprocess
import sys

from typer.testing import CliRunner

from bench.cli import app


def test_it_says_what_was_measured_on() -> None:
    told = CliRunner().invoke(app, ["bench", "machine"])

    assert told.exit_code == 0
    assert {"processor", "memory", "torch", "numpy"} <= {line.split(":")[0] for line in told.output.splitlines()}


def test_help_is_had_without_what_is_slow_to_import() -> None:
    heavy = ["torch", "numpy", "transformers", "app", "models", "index"]
    source = f"import sys, bench.cli; print([name for name in {heavy} if name in sys.modules])"

    assert subprocess.run([sys.executable, "-c", source], capture_output=True, text=True).stdout == "[]\n"
