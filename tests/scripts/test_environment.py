"""The set-up's decisions: what is installed, what is kept, and when everything starts over."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from scripts.environment import Environment, SetupError, Stamp, accelerator, find_links, holds_torch, torch_version


class Commands:
    """Stands in for the commands: notes them, and fails those that hold a given word."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.fails: Callable[[Sequence[str]], bool] = lambda command: False

    def __call__(self, command: Sequence[str]) -> bool:
        self.seen.append(list(command))
        return not self.fails(command)

    def take(self) -> list[str]:
        """What was called since the last time, one word each."""
        seen, self.seen = self.seen, []
        return [_kind(command) for command in seen]


def _kind(command: Sequence[str]) -> str:
    if command[1:3] == ["-m", "venv"]:
        return "venv"
    if command[-1].startswith("uv>="):
        return "get uv"
    installer = "uv" if command[1:3] == ["-m", "uv"] else "pip"
    return f"{installer} auto" if "--torch-backend=auto" in command else installer


def _always_fails(command: Sequence[str]) -> bool:
    return True


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def environment(tmp_path: Path, commands: Commands) -> Environment:
    (tmp_path / "pyproject.toml").write_text('dependencies = ["torch==2.13.0"]')
    (tmp_path / "constraints.txt").write_text("numpy==2.4.6")
    return Environment(tmp_path, commands)


def ensure(environment: Environment, *extras: str, accelerator: str = "cpu", links: Sequence[str] = ()) -> bool:
    """As `scripts/setup` does it: by the environment's own Python as soon as there is one."""
    return environment.ensure(accelerator, extras, lambda: links, environment.path)


def test_the_first_set_up_makes_the_environment_and_notes_it(environment: Environment, commands: Commands) -> None:
    assert environment.ensure("cpu", ["test"], list, Path(sys.prefix))

    *_, install = commands.seen
    assert commands.take() == ["venv", "get uv", "uv auto"]
    assert install[-1] == f"{environment.root}[cpu,test]"
    assert "--compile-bytecode" in install


def test_with_nothing_changed_there_is_nothing_to_do(environment: Environment, commands: Commands) -> None:
    ensure(environment, "test")
    commands.take()

    assert not ensure(environment, "test")
    assert not ensure(environment)
    assert commands.take() == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_other_requirements_are_installed_on_top(environment: Environment, commands: Commands, name: str) -> None:
    ensure(environment, "test")
    commands.take()
    with (environment.root / name).open("a") as file:
        file.write("\n# changed")

    assert ensure(environment)
    *_, install = commands.seen
    assert commands.take() == ["get uv", "uv auto"]
    assert install[-1].endswith("[cpu,test]"), "what ./test had installed is not forgotten by ./run"


def test_an_extra_that_is_missing_is_installed_on_top(environment: Environment, commands: Commands) -> None:
    ensure(environment)
    commands.take()

    assert ensure(environment, "test")
    assert commands.take() == ["get uv", "uv auto"]


def test_another_accelerator_starts_over(environment: Environment, commands: Commands) -> None:
    ensure(environment)
    commands.take()

    assert ensure(environment, accelerator="gpu")
    assert commands.take() == ["venv", "get uv", "uv auto"]


def test_a_folder_that_was_moved_starts_over(environment: Environment, commands: Commands) -> None:
    ensure(environment)
    commands.take()
    elsewhere = environment.root.with_name("elsewhere")
    environment.root.rename(elsewhere)

    assert ensure(Environment(elsewhere, commands))
    assert commands.take() == ["venv", "get uv", "uv auto"]


def test_an_environment_whose_python_does_not_run_starts_over(environment: Environment, commands: Commands) -> None:
    ensure(environment)
    commands.take()

    assert environment.ensure("cpu", [], list, Path(sys.prefix))
    assert commands.take() == ["venv", "get uv", "uv auto"]


def test_somebodys_own_environment_is_kept(environment: Environment, commands: Commands) -> None:
    own = environment.path / "lib" / "own"
    own.mkdir(parents=True)

    assert ensure(environment)
    assert own.exists()
    assert commands.take() == ["get uv", "uv auto"]


@pytest.mark.parametrize("killed_at", ["venv", "get uv", "uv auto"])
def test_a_set_up_that_was_killed_starts_over(environment: Environment, commands: Commands, killed_at: str) -> None:
    def killed(command: Sequence[str]) -> bool:
        if _kind(command) == killed_at:
            (environment.path / "half").touch()
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        environment_with(environment, killed).ensure("cpu", [], list, Path(sys.prefix))

    assert ensure(environment)
    assert not (environment.path / "half").exists()
    assert commands.take() == ["venv", "get uv", "uv auto"]
    assert not ensure(environment)


def environment_with(environment: Environment, call: Callable[[Sequence[str]], bool]) -> Environment:
    return Environment(environment.root, lambda command: call(command) or True)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"base": 1}', b'{"base": "", "requirements": "", "extras": 3}']
)
def test_a_damaged_stamp_starts_over(environment: Environment, commands: Commands, content: bytes) -> None:
    ensure(environment)
    commands.take()
    environment.stamp.write_bytes(content)

    assert ensure(environment)
    assert commands.take()[0] == "venv"


def test_when_uv_finds_no_build_of_torch_by_the_driver_it_tries_without(
    environment: Environment, commands: Commands
) -> None:
    commands.fails = lambda command: "--torch-backend=auto" in command

    assert ensure(environment)
    assert commands.take()[-2:] == ["uv auto", "uv"]


def test_when_uv_fails_pip_installs(environment: Environment, commands: Commands) -> None:
    commands.fails = lambda command: command[1:3] == ["-m", "uv"]

    assert ensure(environment)
    assert commands.take()[-3:] == ["uv auto", "uv", "pip"]


def test_without_uv_pip_installs(environment: Environment, commands: Commands) -> None:
    commands.fails = lambda command: command[-1].startswith("uv>=")

    assert ensure(environment)
    assert commands.take()[-2:] == ["get uv", "pip"]


def test_when_nothing_works_the_error_says_so_and_the_next_starts_over(
    environment: Environment, commands: Commands
) -> None:
    commands.fails = lambda command: _kind(command) != "venv"
    with pytest.raises(SetupError, match="could not be installed"):
        ensure(environment)

    commands.take()
    commands.fails = lambda command: False
    assert ensure(environment)
    assert commands.take()[0] == "venv"


def test_a_python_that_cannot_make_an_environment_is_an_error(environment: Environment, commands: Commands) -> None:
    commands.fails = _always_fails

    with pytest.raises(SetupError, match="virtual environment"):
        environment.ensure("cpu", [], list, Path(sys.prefix))


def test_a_folder_with_a_torch_that_fits_is_used_as_it_is(
    environment: Environment, commands: Commands, tmp_path: Path
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / _wheel()).touch()

    assert ensure(environment, links=[str(wheels)])
    *_, install = commands.seen
    assert commands.take()[-1] == "uv"
    assert install[install.index("--find-links") + 1] == str(wheels)


def _wheel(version: str = "2.13.0+cpu", python: str = "", machine: str = "") -> str:
    tag = python or f"cp{sys.version_info.major}{sys.version_info.minor}"
    system = "macosx_14_0" if sys.platform == "darwin" else "manylinux_2_28"
    return f"torch-{version}-{tag}-{tag}-{system}_{machine or platform.machine()}.whl"


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("version", ["2.13.0", "2.13.0+cpu", "2.13.0+cu130"])
def test_a_wheel_fits_by_its_name(tmp_path: Path, version: str, scheme: str) -> None:
    (tmp_path / _wheel(version)).touch()

    assert holds_torch(["https://wheels.example/torch", f"{scheme}{tmp_path}"], "2.13.0")


@pytest.mark.parametrize(
    "name",
    [_wheel("2.13.1"), _wheel("2.13.0.dev1"), _wheel(python="cp310"), _wheel(machine="sparc"), "torch-2.13.0.tar.gz"],
)
def test_a_wheel_for_something_else_does_not_fit(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()

    assert not holds_torch([str(tmp_path), str(tmp_path / "absent")], "2.13.0")


@pytest.mark.parametrize(
    ("environ", "config", "links"),
    [
        ({}, "", []),
        ({}, "/wheels\n", ["/wheels"]),
        ({"PIP_FIND_LINKS": "/a  /b"}, "/wheels", ["/a", "/b"]),
        ({"UV_FIND_LINKS": "/a b, /c,", "PIP_FIND_LINKS": "/d"}, "/wheels", ["/a b", "/c"]),
        ({"UV_FIND_LINKS": "", "PIP_FIND_LINKS": ""}, "/wheels", ["/wheels"]),
    ],
)
def test_wheels_are_looked_for_where_the_user_says(environ: dict[str, str], config: str, links: list[str]) -> None:
    assert find_links(environ, lambda: config) == links


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("echo 'GPU 0: NVIDIA H200 (UUID: GPU-1)'", "gpu"),
        ("echo 'No devices were found'", "cpu"),
        ("echo 'GPU 0' ; exit 9", "cpu"),
        (None, "cpu"),
    ],
)
def test_the_accelerator_is_what_the_driver_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None, answer: str
) -> None:
    if program:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    assert accelerator() == answer


def test_a_driver_that_does_not_answer_costs_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: Environment
) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    before = {name: Stamp.wanted(environment.root, name, []) for name in ("cpu", "gpu")}

    assert {name: accelerator(stamp) for name, stamp in before.items()} == {"cpu": "cpu", "gpu": "gpu"}


def test_the_release_of_torch_is_read_from_the_project(tmp_path: Path) -> None:
    assert torch_version(Path(__file__).resolve().parents[2]).count(".") == 2

    (tmp_path / "pyproject.toml").write_text("")
    with pytest.raises(SetupError, match="pin torch"):
        torch_version(tmp_path)
