"""The Dockerfile, without building it: `python -m scripts.image_proof` does that."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from app.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
SETTINGS = {f"SPEECHCLIP_{name.upper()}" for name in Settings.model_fields}


class Stage(NamedTuple):
    name: str
    base: str
    lines: list[tuple[str, str]]
    """Instructions with their arguments."""

    def arguments(self, instruction: str) -> list[str]:
        return [rest for name, rest in self.lines if name == instruction]


def instructions(text: str) -> list[tuple[str, str]]:
    """Lines that go on are one, comments are none."""
    plain = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    split = [line.split(maxsplit=1) for line in plain.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, rest in split]


def stages() -> list[Stage]:
    found = list[Stage]()
    for name, rest in instructions((REPOSITORY / "Dockerfile").read_text()):
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            found.append(Stage(stage, base, []))
        elif found:
            found[-1].lines.append((name, rest))
    return found


def stage(name: str) -> Stage:
    return next(one for one in stages() if one.name == name)


def in_context(path: str) -> bool:
    """Is this file sent to the build? The last line of .dockerignore that fits it or a folder above decides."""
    parts, kept = path.split("/"), True
    folders = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        anywhere = "**/" in line
        if line and line[0] != "#" and any(fnmatchcase(one, pattern) for one in (parts if anywhere else folders)):
            kept = line.startswith("!")
    return kept


def sources() -> list[str]:
    """What is copied from this repository."""
    copied = (rest.split() for one in stages() for rest in one.arguments("COPY"))
    return [word.rstrip("/") for words in copied if not words[0].startswith("--from") for word in words[:-1]]


def settings(one: Stage) -> dict[str, str]:
    return dict(word.split("=", 1) for rest in one.arguments("ENV") for word in rest.split())


def test_each_stage_builds_on_one_before_it() -> None:
    known = {"${BASE}"}
    for one in stages():
        copied = {found[1] for rest in one.arguments("COPY") if (found := re.match(r"--from=(\S+)", rest))}
        assert {one.base, *copied} <= known, one.name
        known.add(one.name)


def test_a_build_without_a_target_is_for_a_cpu_and_without_a_base_on_a_slim_python() -> None:
    assert stages()[-1].name == "cpu"
    assert "gpu" in {one.name for one in stages()}
    (base,) = (rest for name, rest in instructions((REPOSITORY / "Dockerfile").read_text()) if "BASE=" in rest)
    assert re.fullmatch(r"BASE=python:3\.1[123]-slim-\w+", base)


@pytest.mark.parametrize("source", [source for source in sources() if source != "."])
def test_what_is_copied_is_there_and_is_sent_to_the_build(source: str) -> None:
    assert (REPOSITORY / source).is_file()
    assert in_context(source)


@pytest.mark.parametrize(
    "path",
    [
        *(f"{package}/__init__.py" for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]),
        *PROJECT["project"]["license-files"],
        PROJECT["project"]["readme"],
        "pyproject.toml",
    ],
)
def test_all_that_the_wheel_is_made_of_is_sent_to_the_build(path: str) -> None:
    assert (REPOSITORY / path).exists()
    assert in_context(path)


@pytest.mark.parametrize("path", [".git/HEAD", ".venv/bin/python", "tests/conftest.py", "app/__pycache__/x.pyc"])
def test_nothing_else_is(path: str) -> None:
    assert not in_context(path)


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_a_target_has_its_own_packages_and_those_of_stores_and_traces(target: str) -> None:
    (install,) = stage(f"packages-{target}").arguments("RUN")
    extras = set(re.findall(r"--extra (\S+)", install))

    assert extras == {target, "milvus", "otel"}
    assert extras <= PROJECT["project"]["optional-dependencies"].keys()
    assert "--constraint constraints.txt" in install


def test_cuda_s_libraries_are_those_that_faiss_needs_anyway() -> None:
    assert stage("packages-gpu").arguments("ARG")[0].startswith("TORCH_BACKEND=cu12")


def test_what_is_started_is_a_command_of_the_project() -> None:
    (entry,), (command,) = (json.loads(stage("runtime").arguments(name)[0]) for name in ("ENTRYPOINT", "CMD"))

    assert entry in PROJECT["project"]["scripts"]
    assert command == "serve"


def test_the_user_is_not_root_and_the_one_that_the_cluster_runs() -> None:
    runtime = stage("runtime")
    (user,) = runtime.arguments("USER")
    made = re.search(rf"useradd .*--uid (\d+) {user} ", runtime.arguments("RUN")[0])
    deployment = yaml.safe_load((REPOSITORY / "docker/kubernetes/deployment.yaml").read_text())

    assert made
    assert int(made[1]) == deployment["spec"]["template"]["spec"]["securityContext"]["runAsUser"]


def test_settings_volume_port_and_health_check_are_those_of_the_service() -> None:
    runtime = stage("runtime")
    environment = settings(runtime)
    health = runtime.arguments("HEALTHCHECK")[0]

    assert {name for name in environment if name != "PATH"} <= SETTINGS
    assert environment["SPEECHCLIP_DATA"] in runtime.arguments("VOLUME")
    assert runtime.arguments("EXPOSE") == [str(Settings.model_fields["port"].default)]
    assert json.loads(health.partition("CMD ")[2])[1] == runtime.arguments("COPY")[0].split()[1]


def test_packages_lose_what_only_their_developers_need(tmp_path: Path) -> None:
    packages = tmp_path / "lib/python3.11/site-packages"
    kept = [
        "torch/bin/torch_shm_manager",
        "torch/testing/x.py",
        "jinja2/tests.py",
        "torch/lib/libtorch.so",
        "app/test.py",
    ]
    lost = ["torch/bin/test_api", "torch/bin/protoc", "torch/include/a/b.h", "torch/test/atest", "numpy/ma/tests/x.py"]
    for name in [*kept, *lost]:
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).touch()
    shell = shutil.which("sh") or "/bin/sh"
    subprocess.run([shell, REPOSITORY / "docker/slim.sh"], env={**os.environ, "VIRTUAL_ENV": str(tmp_path)}, check=True)

    assert {str(file.relative_to(packages)) for file in packages.rglob("*") if file.is_file()} == set(kept)
