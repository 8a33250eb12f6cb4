"""`speechclip models list` and `speechclip models pull`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.folder import find_model
from tests.app.cli_runner import Speechclip
from tests.fake_encoder import FakeEncoder
from tests.fake_hub import Answer, FakeHub, fake_hub
from tests.published_model import TINY, registry_toml, write_checkpoint
from tests.tiny_model import save_tiny_model

NARROWEST = "80"  # columns


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.ckpt")


@pytest.fixture
def hub(checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with fake_hub(monkeypatch, tmp_path / "cache") as hub:
        hub.put(TINY, checkpoint)
        yield hub


@pytest.fixture
def speechclip(tmp_path: Path, encoder: FakeEncoder) -> Speechclip:
    """With the real models."""
    return Speechclip(tmp_path / "data", encoder)


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """A file that makes the tiny model a published one."""
    path = tmp_path / "registry.toml"
    path.write_text(registry_toml(TINY))
    return path


def test_shipped_and_published_models_are_listed(speechclip: Speechclip) -> None:
    listed = speechclip.json("models", "list")["models"]

    nano, *published = listed
    assert (nano["name"], nano["status"], nano["branch"], nano["published"]) == ("nano", "shipped", "hybrid+", None)
    assert nano["bytes"] <= 24 * 1024 * 1024
    assert nano["licence"]
    assert len(published) == 15
    assert {one["status"] for one in published} == {"not here"}
    large = next(one for one in published if one["name"] == "speechclip/parallel-large-flickr")
    assert (large["path"], large["bytes"], large["licence"], large["dim"]) == (None, None, None, 768)
    assert large["published"]["recall"] == {"at": 10, "percent": 89.0, "source": "file name"}
    assert large["published"]["repository"] == "speechclip/models"


def test_the_list_fits_a_narrow_terminal(speechclip: Speechclip) -> None:
    lines = speechclip.run("models", "list", COLUMNS=NARROWEST).stdout.splitlines()

    assert len(lines) == 17
    assert lines[1].split()[:2] == ["nano", "21.5"]
    longest = next(line.split() for line in lines if "cascaded-plus-large-flickr" in line)
    assert longest == ["speechclip-plus/cascaded-plus-large-flickr", "not", "here", "cascaded+", "768", "R@10", "60.05"]


def test_the_list_knows_which_models_are_here(speechclip: Speechclip) -> None:
    models = speechclip.data / "models"
    save_tiny_model(models / "speechclip" / "parallel-base-flickr")
    save_tiny_model(models / "mine" / "own")
    save_tiny_model(models / "mine" / "broken")
    (models / "mine" / "broken" / "vocabulary.json").unlink()

    listed = {one["name"]: one for one in speechclip.json("models", "list")["models"]}
    base = listed["speechclip/parallel-base-flickr"]
    assert (base["status"], base["dim"]) == ("here", 8)  # what it is, whatever it should be
    assert base["bytes"] == sum(file.stat().st_size for file in Path(base["path"]).iterdir())
    assert (listed["mine/own"]["status"], listed["mine/own"]["published"]) == ("here", None)
    assert (listed["mine/broken"]["status"], listed["mine/broken"]["branch"]) == ("damaged", None)


def test_a_registry_file_is_listed_too(speechclip: Speechclip, registry: Path) -> None:
    by_option = speechclip.json("models", "list", "--registry", registry)["models"]
    by_environment = speechclip.run("models", "list", SPEECHCLIP_REGISTRY=str(registry)).stdout

    assert by_option[-1]["name"] == TINY.name
    assert TINY.name in by_environment


def test_a_bad_registry_file_is_told(speechclip: Speechclip, registry: Path) -> None:
    registry.write_text(registry_toml(TINY, layers=0))

    for command in (["list"], ["pull", TINY.name]):
        told = speechclip.refused("models", *command, "--registry", registry)
        assert told.startswith(f"the registry {registry} is not valid: models.1.layers: ")


def test_a_pulled_model_can_be_used_by_its_name(hub: FakeHub, speechclip: Speechclip, registry: Path) -> None:
    result = speechclip.run("models", "pull", TINY.name, "--registry", registry)

    path = speechclip.data / "models" / TINY.name
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    assert (
        result.stderr
        == f"{TINY.name} is here: it can be chosen as --model {TINY.name} or SPEECHCLIP_MODEL={TINY.name}.\n"
    )
    assert speechclip.json("models", "info", TINY.name)["path"] == str(path)

    (speechclip.data / "texts.txt").write_text("dog\ncat\n")
    speechclip.json("index", "animals", speechclip.data / "texts.txt", "--model", TINY.name)
    answer = speechclip.json("search", "dog", "--collection", "animals", "--model", TINY.name)
    assert answer["model"]["name"] == TINY.name
    assert answer["results"][0]["caption"] == "dog"


def test_what_is_here_is_said_at_once(hub: FakeHub, speechclip: Speechclip) -> None:
    path = save_tiny_model(speechclip.data / "models" / TINY.name)

    assert speechclip.run("models", "pull", TINY.name).stdout == f"{path}\n"
    assert speechclip.run("models", "pull", "nano").stdout.endswith("models/nano\n")
    assert hub.asked == []


def test_a_pull_that_fails_says_why(hub: FakeHub, speechclip: Speechclip, registry: Path) -> None:
    hub.always("GET", Answer(cut=100))

    told = speechclip.refused("models", "pull", TINY.name, "--registry", registry)
    assert told.startswith(f"the download of {TINY.file} in {TINY.repository} broke off")
    assert "did you mean speechclip/parallel-base-flickr" in speechclip.refused(
        "models", "pull", "speechclip/parallel-base-flicker"
    )


@pytest.mark.slow
def test_two_processes_that_pull_the_same_model(
    hub: FakeHub, speechclip: Speechclip, registry: Path, tmp_path: Path
) -> None:
    """With everything that the environment can say: where the hub is, where its cache is, and who asks."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_TOKEN": "hf_tiny",
        "SPEECHCLIP_DATA": str(speechclip.data),
        "SPEECHCLIP_REGISTRY": str(registry),
    }
    command = [sys.executable, "-m", "app.cli", "models", "pull", TINY.name]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)
    ]
    outputs = [process.communicate() for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outputs
    assert {stdout.decode().strip() for stdout, _ in outputs} == {str(speechclip.data / "models" / TINY.name)}
    assert hub.count("GET") == 1
    assert {one.authorization for one in hub.asked} == {"Bearer hf_tiny"}
    find_model(str(speechclip.data / "models" / TINY.name)).load()
    shutil.rmtree(speechclip.data)

    environment["HF_HUB_OFFLINE"] = "1"
    hub.asked.clear()
    offline = subprocess.run(command, env=environment, capture_output=True)
    assert (offline.returncode, hub.asked) == (0, []), offline.stderr
