"""Without traces nothing of OpenTelemetry is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app import settings
from app.settings import Settings
from app.tracing import Untraced, make_traces
from tests.patience import WAIT_S

ROOT = Path(__file__).resolve().parents[3]


def test_they_are_off_unless_asked_for() -> None:
    assert isinstance(make_traces(Settings()), Untraced)


def test_off_they_import_nothing_and_neither_does_the_framework_for_itself(tmp_path: Path) -> None:
    program = (
        "import sys; from fastapi.testclient import TestClient; from app.main import create_app\n"
        "from app.settings import Settings; from tests.fake_encoder import FakeEncoder\n"
        "with TestClient(create_app(Settings(data=sys.argv[1]), FakeEncoder())) as client: client.get('/livez')\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "FASTAPI_OTEL_AUTO_CONFIGURE": "true"},
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )

    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_on_without_the_extra_they_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "TRACES_PACKAGE", "a-package-that-is-not-there")

    with pytest.raises(ValidationError, match=r"install speechclip-search\[otel\]"):
        Settings(traces=True)
