"""All checks together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import diagnosis
from app.diagnosis.findings import Finding
from app.settings import Settings
from tests.app.diagnosis.told import told


def test_a_check_that_breaks_is_a_finding_and_the_others_are_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check_packages() -> Iterator[Finding]:
        raise ImportError("libgomp.so.1 is missing")

    monkeypatch.setattr(diagnosis, "check_packages", check_packages)
    findings = diagnosis.diagnose(settings.model_copy(update={"port": 0}), {})

    assert "libgomp.so.1 is missing" in told(findings, "fail")
    assert findings[-1].area == "clock"
