"""A tiny model on a hub, and what brings it here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.published.pull import pull
from models.published.registry import PublishedModel, Registry
from tests.fake_hub import FakeHub, fake_hub
from tests.published_model import TINY, write_checkpoint

Pull = Callable[..., Path]
Steps = list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.ckpt")


@pytest.fixture
def hub(checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that has the tiny model."""
    with fake_hub(monkeypatch, tmp_path / "cache") as hub:
        hub.put(TINY, checkpoint)
        yield hub


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def steps() -> Steps:
    return []


@pytest.fixture
def pull_tiny(models: Path, steps: Steps) -> Pull:
    def run(model: PublishedModel = TINY, **changes: object) -> Path:
        changed = model.model_copy(update=changes)
        return pull(TINY.name, models, Registry({TINY.name: changed}), lambda *step: steps.append(step))

    return run


def nothing_is_left(models: Path) -> bool:
    """Neither a model nor a piece of one; the file of the lock stays."""
    return [path.name for path in models.rglob("*") if path.is_file()] in ([], ["lock"])
