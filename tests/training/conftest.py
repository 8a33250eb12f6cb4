from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.training.fake_packages import write_packages
from training.nano.lexicon import Lexicon, load_lexicon


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The npm packages, with six emoji. Copy them before you change them."""
    return write_packages(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def lexicon(packages: Path) -> Lexicon:
    return load_lexicon(packages)


@pytest.fixture(scope="session")
def espeak() -> None:
    """espeak-ng, which continuous integration installs."""
    if shutil.which("espeak-ng") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("espeak-ng is not on PATH")
        pytest.skip("espeak-ng is not on PATH")


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No recordings, prompts and stamps but those that a test makes, whatever this machine has."""
    monkeypatch.delenv("SPEECHCLIP_HUMAN_SPEECH", raising=False)
    monkeypatch.setattr("training.nano.people.DEFAULT_FOLDER", tmp_path / "nobody")
    monkeypatch.setattr("training.nano.prompts.TRANSCRIPT", tmp_path / "no-transcript.gz")
    monkeypatch.setattr("training.nano.stamps.STAMPS", tmp_path / "no-stamps")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only lose time to a second thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def exact_arithmetic() -> Iterator[None]:
    """Training turns denormal numbers off for the whole process: back on after the test."""
    yield
    torch.set_flush_denormal(False)
