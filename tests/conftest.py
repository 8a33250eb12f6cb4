"""Data kept beside the checkout, not in it: tests that need it skip, saying so, where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# An example may take long on a machine that does something else. Every run tries other examples, but in continuous
# integration: there, a change is judged by what it changes and not by luck.
settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
settings.load_profile("patient")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder_beside(variable: str, default: Path) -> Path:
    """The folder named by SPEECHCLIP_<variable>, or the default; SPEECHCLIP_REQUIRE_<variable>=1 forbids to skip."""
    folder = Path(os.environ.get(f"SPEECHCLIP_{variable}", default))
    if not folder.is_dir():
        missing = f"{folder} is not there; SPEECHCLIP_{variable} can name another folder"
        if os.environ.get(f"SPEECHCLIP_REQUIRE_{variable}") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


@pytest.fixture(scope="session")
def parity() -> Path:
    """Inputs and outputs of the authors' code: what the networks here must reproduce."""
    return _folder_beside("PARITY", SHARED / "parity")


@pytest.fixture(scope="session")
def published_keys() -> Path:
    """Names and shapes of all tensors in every published checkpoint, one file for each."""
    return _folder_beside("KEYS", SHARED / "spec" / "keys")


@pytest.fixture(scope="session")
def human_speech() -> Path:
    """Recordings of real people."""
    return _folder_beside("HUMAN_SPEECH", SHARED / "data" / "human-speech")
