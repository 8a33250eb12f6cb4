"""`./run` and `./test` as somebody at a terminal meets them: in a copy, with tools that only print their arguments."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.environment import Stamp, accelerator, locked
from tests.patience import WAIT_S

REPOSITORY = Path(__file__).resolve().parents[1]
ALWAYS_REQUIRED = "SPEECHCLIP_REQUIRE_TYPESCRIPT"
BASH = shutil.which("bash") or "/bin/bash"

PRINTS_ITS_ARGUMENTS = """
import os, sys
print(TOOL, *sys.argv[1:], *sorted(name for name in os.environ if name.startswith("SPEECHCLIP_")))
sys.exit(os.environ.get("FAILS") == TOOL)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout that was never set up, in a folder whose name has a space."""
    root = tmp_path / "a checkout"
    shutil.copytree(REPOSITORY / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (root / ".ci").mkdir()
    for name in ("run", "test", ".ci/run", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, root / name)
    return root


@pytest.fixture
def ready(root: Path) -> Path:
    """The same, set up; its tools print their arguments."""
    venv.create(root / ".venv", symlinks=True)
    speechclip = root / ".venv" / "bin" / "speechclip"
    speechclip.write_text('#!/bin/sh\necho "speechclip $*"\n')
    speechclip.chmod(0o755)
    (packages,) = (root / ".venv" / "lib").glob("python*/site-packages")
    for tool in ("ruff", "mypy", "pytest"):
        (packages / f"{tool}.py").write_text(f"TOOL = {tool!r}\n{PRINTS_ITS_ARGUMENTS}")
    Stamp.wanted(root, accelerator(), ["test"]).write(root / ".venv" / "setup.json")
    return root


def call(script: Path, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> tuple[int, list[str]]:
    """Status, and the lines of both outputs. This process's own settings are not passed on."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SPEECHCLIP_")}
    done = subprocess.run(
        [BASH, script, *arguments],
        cwd=cwd,
        env={**inherited, **(env or {})},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=WAIT_S,
        check=False,
    )
    return done.returncode, [line for line in done.stdout.splitlines() if line]


def test_run_serves_with_its_arguments_from_any_folder(ready: Path, tmp_path: Path) -> None:
    status, lines = call(ready / "run", "--port", "9000", "--data", "my data", cwd=tmp_path)

    assert status == 0
    assert lines == ["[set-up] Everything is up to date.", "speechclip serve --port 9000 --data my data"]


def test_nothing_to_do_is_quick(ready: Path) -> None:
    def seconds() -> float:
        start = time.monotonic()
        call(ready / "run", cwd=ready)
        return time.monotonic() - start

    assert any(seconds() < 2 for _ in range(10)), "the best of a few, for the machine may be busy"


def test_test_runs_the_linters_then_every_test(ready: Path, tmp_path: Path) -> None:
    status, lines = call(ready / "test", cwd=tmp_path)

    assert status == 0
    assert [line for line in lines if line.startswith(("ruff", "mypy", "pytest"))] == [
        "ruff check",
        "ruff format --check",
        "mypy",
        "pytest",
    ]


def test_test_with_arguments_runs_only_pytest(ready: Path) -> None:
    status, lines = call(ready / "test", "-k", "audio or image", cwd=ready)

    assert status == 0
    assert lines[1:] == ["== pytest -k audio or image", "pytest -k audio or image"]


@pytest.mark.parametrize("tool", ["ruff", "mypy", "pytest"])
def test_test_fails_with_any_of_its_steps(ready: Path, tool: str) -> None:
    status, lines = call(ready / "test", cwd=ready, env={"FAILS": tool})

    assert status != 0
    assert lines[-1].startswith(tool)


@pytest.mark.parametrize(
    ("folder", "required"),
    [("shared/parity", "SPEECHCLIP_REQUIRE_PARITY"), ("shared/data/human-speech", "SPEECHCLIP_REQUIRE_HUMAN_SPEECH")],
)
def test_continuous_integration_lets_no_test_skip_whose_data_is_there(
    ready: Path, tmp_path: Path, folder: str, required: str
) -> None:
    (tmp_path / folder).mkdir(parents=True)
    programs = _programs(tmp_path, {"chromium": "", "espeak-ng": "", "npm": ""})
    status, lines = call(ready / ".ci" / "run", cwd=tmp_path, env={"PATH": str(programs)})

    assert status == 0
    assert lines[-1] == f"pytest {required} {ALWAYS_REQUIRED}"


def test_continuous_integration_installs_what_is_missing(ready: Path, tmp_path: Path) -> None:
    apt = {"id": "echo 0", "env": 'shift; exec "$@"', "sleep": "", "apt-get": 'echo "$@" >>log'}
    programs = _programs(tmp_path, {"chromium": "", "npm": "", **apt})
    status, lines = call(ready / ".ci" / "run", cwd=tmp_path, env={"PATH": str(programs)})
    update, install = (ready / "log").read_text().splitlines()

    assert (status, lines[-1]) == (0, f"pytest {ALWAYS_REQUIRED}")
    assert update.endswith(" update")
    assert install.endswith(" espeak-ng")


def test_a_python_that_does_not_start_is_passed_over(ready: Path, tmp_path: Path) -> None:
    shutil.rmtree(ready / ".venv" / "bin")
    programs = _programs(tmp_path, {"python3": "exit 127", "python3.13": "exit 1", "python3.12": 'echo "chosen: $2"'})
    status, lines = call(ready / "run", cwd=tmp_path, env={"PATH": str(programs)})

    # The one that answers "yes" to everything was given the set-up; then there is no speechclip to start.
    assert status != 0
    assert lines[0].startswith("chosen:")


def test_without_a_fitting_python_the_message_says_what_to_install(root: Path, tmp_path: Path) -> None:
    programs = _programs(tmp_path, {"python3": "exit 1"})
    status, lines = call(root / "run", cwd=tmp_path, env={"PATH": str(programs)})

    assert status == 1
    assert "needs Python 3.11, 3.12 or 3.13" in lines[0]
    assert not (root / ".venv").exists()


def test_a_second_set_up_waits_for_the_first(ready: Path) -> None:
    with locked(ready):
        second = subprocess.Popen([BASH, ready / "scripts" / "setup"], stdout=subprocess.PIPE, text=True)
        assert second.stdout
        assert "waiting" in second.stdout.readline()
        assert second.poll() is None

    rest, _ = second.communicate(timeout=WAIT_S)
    assert rest == "[set-up] Everything is up to date.\n"


def _programs(folder: Path, scripts: Mapping[str, str]) -> Path:
    """A folder for PATH that holds these programs, what the scripts themselves use, and nothing else."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("bash", "dirname", "cat", "id", "env", "nvidia-smi"):
        if name not in scripts and (program := shutil.which(name)):
            (programs / name).symlink_to(program)
    for name, code in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{code}\n")
        (programs / name).chmod(0o755)
    return programs
