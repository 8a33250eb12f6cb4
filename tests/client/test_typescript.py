"""A TypeScript client, generated from `docs/openapi.json`, compiles strictly and talks to the service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import NoReturn

import pytest

from tests.patience import WAIT_S

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("typescript")
PAUSES_S = (5.0, 20.0)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with its packages, as its lock file names them. Where they cannot be had, its tests skip."""
    if shutil.which("npm") is None:
        absent("npm is not installed")
    folder = tmp_path_factory.mktemp("typescript") / "program"
    shutil.copytree(PROGRAM, folder)
    if reason := install(folder):
        absent(f"npm could not install what TypeScript needs: {reason}")
    return folder


def install(folder: Path) -> str:
    """Why it could not be; empty when it is. A registry that does not answer is asked again."""
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    reason = ""
    for pause in (*PAUSES_S, 0.0):
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WAIT_S)
        except subprocess.TimeoutExpired as error:
            reason = str(error)
        else:
            if done.returncode == 0:
                return ""
            reason = done.stderr[-500:]
        time.sleep(pause)
    return reason


def absent(reason: str) -> NoReturn:
    if os.environ.get("SPEECHCLIP_REQUIRE_TYPESCRIPT") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_generated_client_is_clean_and_works(node: Path, url: str) -> None:
    # Without that, whatever has a default would have to be given.
    optional = "--default-non-nullable=false"
    run(node, "npx", "openapi-typescript", str(ROOT / "docs" / "openapi.json"), optional, "-o", "api.ts")
    run(node, "npx", "tsc")
    printed = json.loads(run(node, "node", "built/program.js", url))

    assert printed["found"][0] == "dog"
    assert printed["keywords"] == ["cat"]
    assert (printed["stored"], printed["listed"], printed["broughtBack"]) == (["a/b"], ["dog"], 1)
    assert (printed["embedded"], printed["refused"]) == (2, "invalid_parameter")
