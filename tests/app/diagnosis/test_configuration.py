"""Settings: unknown, refused, contradicting each other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.diagnosis import configuration
from app.settings import Settings
from tests.app.diagnosis.told import told


def test_unknown_variables_are_named_with_what_was_meant_and_without_their_values() -> None:
    findings = list(
        configuration.check_variables({"SPEECHCLIP_PROT": "swordfish", "HOME": "x", "SPEECHCLIP_DATA": "y"})
    )

    assert told(findings, "warn") == "SPEECHCLIP_PROT is no setting -> did you mean SPEECHCLIP_PORT?"
    assert "swordfish" not in str(findings)


def test_values_that_are_refused_are_failures_without_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHCLIP_PORT", "swordfish")
    monkeypatch.setenv("SPEECHCLIP_BATCH_SIZE", "0")
    with pytest.raises(ValidationError) as refused:
        Settings()
    failures = told(configuration.refused_settings(refused.value), "fail")

    assert "SPEECHCLIP_PORT: " in failures
    assert "SPEECHCLIP_BATCH_SIZE: " in failures
    assert "swordfish" not in failures


def test_a_value_that_is_not_even_json_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHCLIP_API_KEYS", "{swordfish")
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({})
    failures = told(configuration.refused_settings(refused.value), "fail")

    assert "api_keys" in failures
    assert "SPEECHCLIP_:" not in failures
    assert "swordfish" not in failures


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, "ok", "only this machine may ask"),
        ({"host": "0.0.0.0"}, "warn", "whoever reaches 0.0.0.0"),
        ({"host": "search.example.org"}, "warn", "whoever reaches"),
        ({"host": "localhost"}, "ok", "only this machine"),
        ({"admin_port": 8000}, "fail", "SPEECHCLIP_ADMIN_PORT"),
        ({"max_batch_bytes": 10**12}, "warn", "SPEECHCLIP_MAX_BATCH_BYTES"),
        ({"max_body_bytes": 10**12}, "warn", "SPEECHCLIP_MAX_BODY_BYTES"),
        ({"batch_size": 999}, "warn", "SPEECHCLIP_BATCH_SIZE"),
        ({"api_keys_file": Path("/no/such/file")}, "fail", "cannot be read"),
    ],
)
def test_settings_together(settings: Settings, changes: dict[str, object], level: str, words: str) -> None:
    assert words in told(configuration.check_settings(settings.model_copy(update=changes)), level)


def test_keys_keep_strangers_out(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(f'[keys.me]\nsha256 = "{hashlib.sha256(b"x").hexdigest()}"\nscopes = ["search"]\n')
    changed = settings.model_copy(update={"host": "0.0.0.0", "api_keys_file": file})

    assert [one.level for one in configuration.check_settings(changed)] == ["ok"]
