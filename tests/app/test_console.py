"""The console script as the first process of a container, which no signal ends by itself."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import pytest

from tests.patience import WAIT_S

STOPPED_WHILE_IT_IMPORTS = """
import os, signal, sys
from app import console

class Stops:
    @staticmethod
    def find_spec(*_):
        os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Stops)
console.main()
print("it ran")
"""


def test_a_stop_during_the_imports_ends_it() -> None:
    unshare = shutil.which("unshare")
    first = [unshare, "--user", "--map-root-user", "--pid", "--fork"] if unshare else []
    if not first or subprocess.run([*first, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine makes no namespaces of processes")

    script = [sys.executable, "-c", STOPPED_WHILE_IT_IMPORTS]
    done = subprocess.run([*first, *script], capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_elsewhere_a_stop_is_what_it_is_for_every_program() -> None:
    done = subprocess.run([sys.executable, "-c", STOPPED_WHILE_IT_IMPORTS], timeout=WAIT_S, check=False)
    assert done.returncode == -signal.SIGTERM
