"""What an operator can set."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


def test_the_defaults_serve_this_machine_only() -> None:
    settings = Settings()

    assert (settings.model, settings.host, settings.port) == ("nano", "127.0.0.1", 8000)
    assert settings.max_body_bytes == 10 * 1024 * 1024
    assert settings.data.is_absolute()


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPEECHCLIP_PORT", "9000")
    monkeypatch.setenv("SPEECHCLIP_DATA", str(tmp_path))
    monkeypatch.setenv("SPEECHCLIP_UNKNOWN", "is for somebody else")
    settings = Settings()

    assert (settings.port, settings.data) == (9000, tmp_path)


def test_a_folder_may_be_relative_or_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert Settings(data=Path("here")).data == tmp_path / "here"
    assert Settings(data=Path("~/there")).data == tmp_path / "there"


def test_more_than_one_worker_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHCLIP_WORKERS", "4")
    with pytest.raises(ValidationError, match="one process owns the model"):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", 70_000),
        ("max_seconds", 0),
        ("queue_size", 0),
        ("deadline_s", -1),
        ("log_level", "loud"),
        ("store", "redis://host"),
        ("batch_size", 0),
    ],
)
def test_impossible_values_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})
