"""Published models brought here, into their folder, complete or not at all."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants

from models.errors import CheckpointError, NoSpace, PullError, UnexpectedModel, UnknownModel
from models.folder import find_model
from models.published.pull import ASKING, CONVERTING, DOWNLOADING, WAITING, WORK, pull
from models.published.registry import Registry
from tests.fake_hub import Answer, FakeHub
from tests.models.published.conftest import Pull, Steps, nothing_is_left
from tests.patience import wait_until
from tests.published_model import TINY

MARGIN = 2 << 20  # bytes, for the small files of a model folder


def test_a_pulled_model_is_a_model(hub: FakeHub, models: Path, pull_tiny: Pull) -> None:
    path = pull_tiny()

    assert path == models / TINY.name
    folder = find_model(str(path))
    assert folder.config.name == TINY.name
    assert folder.config.audio.hidden_size == TINY.hidden_size
    folder.load()
    assert [file.name for file in (models / WORK).rglob("*") if file.is_file()] == ["lock"]


def test_progress_is_told(hub: FakeHub, checkpoint: bytes, pull_tiny: Pull, steps: Steps) -> None:
    pull_tiny()

    names = [step for step, _, _ in steps]
    assert list(dict.fromkeys(names)) == [ASKING, DOWNLOADING, CONVERTING]
    downloads = [(done, total) for step, done, total in steps if step == DOWNLOADING]
    assert downloads[-1] == (len(checkpoint), len(checkpoint))
    assert downloads == sorted(downloads)


def test_what_is_here_is_not_asked_for(hub: FakeHub, pull_tiny: Pull, steps: Steps) -> None:
    first = pull_tiny()
    hub.asked.clear()
    steps.clear()

    assert pull_tiny() == first
    assert (hub.asked, steps) == ([], [])


def test_what_is_cached_is_not_downloaded_again(hub: FakeHub, pull_tiny: Pull) -> None:
    shutil.rmtree(pull_tiny())

    assert pull_tiny().is_dir()
    assert hub.count("GET") == 1


def test_what_is_cached_needs_no_hub(hub: FakeHub, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(pull_tiny())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.asked.clear()

    assert pull_tiny().is_dir()
    assert hub.asked == []


def test_an_unknown_name_asks_nobody(hub: FakeHub, models: Path) -> None:
    with pytest.raises(UnknownModel, match="did you mean somebody/parallel-tiny"):
        pull("somebody/paralel-tiny", models, Registry({TINY.name: TINY}))
    assert (hub.asked, models.exists()) == ([], False)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"PK\x03\x04" + bytes(5000)], ids=["empty", "a page", "half a zip"]
)
def test_garbage_in_place_of_a_checkpoint(hub: FakeHub, models: Path, pull_tiny: Pull, content: bytes) -> None:
    hub.put(TINY, content)

    with pytest.raises(CheckpointError, match=f"^{TINY.repository} has something at"):
        pull_tiny()
    assert nothing_is_left(models)


@pytest.mark.parametrize(
    "wrong", [{"branch": "cascaded"}, {"embedding_size": 512}, {"hidden_size": 768}, {"layers": 12}], ids=str
)
def test_another_model_than_expected_is_refused(
    hub: FakeHub, models: Path, pull_tiny: Pull, wrong: dict[str, object]
) -> None:
    (what, expected) = next(iter(wrong.items()))

    with pytest.raises(UnexpectedModel, match=rf"has {what} \w+, which should be {expected}"):
        pull_tiny(**wrong)
    assert nothing_is_left(models)


def test_a_full_disk_is_found_before_the_download(
    hub: FakeHub, checkpoint: bytes, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 2 * len(checkpoint) - 1  # the checkpoint and the model are on one disk
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    with pytest.raises(NoSpace, match="GiB are needed"):
        pull_tiny()
    assert hub.count("GET") == 0


def test_a_cached_checkpoint_needs_room_once(
    hub: FakeHub, checkpoint: bytes, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(pull_tiny())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=len(checkpoint) + MARGIN))

    assert pull_tiny().is_dir()


def test_the_disk_of_the_models_refuses(hub: FakeHub, models: Path, pull_tiny: Pull) -> None:
    models.write_bytes(b"a file")

    with pytest.raises(PullError, match="cannot be stored in"):
        pull_tiny()


def test_the_disk_of_the_cache_refuses(hub: FakeHub, tmp_path: Path, pull_tiny: Pull) -> None:
    (tmp_path / "cache").write_bytes(b"a file")

    with pytest.raises(PullError, match="cannot be kept in"):
        pull_tiny()


def test_a_broken_model_in_its_place_is_not_touched(hub: FakeHub, models: Path, pull_tiny: Pull) -> None:
    (models / TINY.name).mkdir(parents=True)
    (models / TINY.name / "config.json").write_text("mine")

    with pytest.raises(PullError, match="is in the way"):
        pull_tiny()
    assert (models / TINY.name / "config.json").read_text() == "mine"
    assert hub.asked == []


def test_what_a_killed_pull_left_is_cleared(hub: FakeHub, models: Path, pull_tiny: Pull) -> None:
    (models / WORK / TINY.name / "new").mkdir(parents=True)
    (models / WORK / TINY.name / "new" / "model.safetensors").write_bytes(bytes(10))
    (models / WORK / TINY.name / "piece").write_bytes(bytes(10))
    pull_tiny()

    assert [file.name for file in (models / WORK).rglob("*") if file.is_file()] == ["lock"]


def test_two_pulls_at_once_take_turns(hub: FakeHub, pull_tiny: Pull, steps: Steps) -> None:
    both = threading.Event()
    hub.plan("HEAD", Answer(held=both))
    found = list[Path]()
    threads = [threading.Thread(target=lambda: found.append(pull_tiny())) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: WAITING in [step for step, _, _ in steps])
    both.set()
    for thread in threads:
        thread.join()

    assert len(found) == 2
    assert len(set(found)) == 1
    assert hub.count("GET") == 1
