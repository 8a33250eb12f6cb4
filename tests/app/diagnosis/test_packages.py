"""Python, the packages and the engines."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from app.diagnosis import machine, packages
from tests.app.diagnosis.told import told


def test_this_installation_is_in_order() -> None:
    for check in (packages.check_python, packages.check_packages, packages.check_engines, machine.check_clock):
        assert {one.level for one in check()} == {"ok"}, told(check(), "fail")


def test_packages_that_are_missing_or_of_another_version_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    requires = [
        "no-such-package>=1",
        "numpy>=999",
        "pydantic>=2",
        "not-installed; extra == 'x'",
        "rich<1; extra == 'x'",
        "no-such-service; extra == 'service'",
    ]
    monkeypatch.setattr(packages, "distribution", lambda name: SimpleNamespace(requires=requires))
    failures = told(packages.check_packages(), "fail")

    assert "no-such-package is missing" in failures
    assert "no-such-service is missing" in failures
    assert "numpy is " in failures
    assert "rich is " in failures
    assert "pydantic" not in failures
    assert "not-installed" not in failures


@pytest.mark.parametrize("there", [set[str](), {"faiss-cpu", "faiss-gpu"}])
def test_there_is_exactly_one_faiss(monkeypatch: pytest.MonkeyPatch, there: set[str]) -> None:
    monkeypatch.setattr(packages, "_version", lambda name: "1" if name in there else None)

    assert "exactly one of the extras" in told(packages.check_engines(), "fail")
