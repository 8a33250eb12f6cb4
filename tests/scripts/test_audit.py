"""What is installed because of the project: licences, bill of materials, advisories."""

from __future__ import annotations

import json
from collections.abc import Iterable
from email.message import Message
from importlib.metadata import Distribution
from types import SimpleNamespace
from typing import Any, cast

import pytest
from packaging.utils import canonicalize_name

from scripts import audit, bill
from scripts.bill import ToolFailed, bill_of, only
from scripts.installed import installed
from scripts.licences import attention, licences_of


def package(name: str, **fields: str | list[str]) -> Distribution:
    """One that is not there, with this metadata."""
    metadata = Message()
    metadata["Name"] = name
    for field, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            metadata[field.replace("_", "-")] = value
    return cast(Distribution, SimpleNamespace(metadata=metadata, version="1"))


def licence(**fields: str | list[str]) -> str:
    return licences_of([package("x", **fields)])[0].licence


def test_the_chain_of_requirements_is_followed_and_no_further() -> None:
    found = installed(["httpx2"])

    assert {"httpx2", "httpcore2", "anyio"} <= found.keys()
    assert "torch" not in found
    assert installed(["no-such-package"]) == {}


def test_extras_count_where_they_are_asked_for() -> None:
    assert "websockets" not in installed(["uvicorn"])
    assert "websockets" in installed(["uvicorn[standard]"])


def test_the_service_is_in_its_own_chain() -> None:
    assert {"speechclip-search", "torch", "faiss-cpu", "av", "fastapi"} <= installed(["speechclip-search[cpu]"]).keys()


def test_a_licence_is_its_expression_or_its_name_or_its_classifier() -> None:
    classifier = ["License :: OSI Approved :: MIT License", "Programming Language :: Python"]

    assert licence(License_Expression="MIT", License="other", Classifier=classifier) == "MIT"
    assert licence(License_Expression="MIT AND " * 30 + "ISC").endswith("AND ISC")
    assert licence(License="BSD", Classifier=classifier) == "BSD"
    assert licence(License="Permission is hereby granted " * 20, Classifier=classifier) == "MIT License"
    assert licence(License="UNKNOWN") == licence() == "unknown"


@pytest.mark.parametrize(
    "name",
    ["GPL-3.0-or-later", "AGPL-3.0", "GNU General Public License v3 (GPLv3)", "SSPL-1.0", "CC-BY-NC-4.0", "unknown"],
)
def test_what_binds_the_whole_work_or_is_unknown_is_to_be_looked_at(name: str) -> None:
    assert attention(name)


@pytest.mark.parametrize("name", ["LGPL-2.1-or-later", "GNU Lesser General Public License v2 (LGPLv2)", "MPL-2.0"])
def test_what_binds_its_own_files_is_told_as_that(name: str) -> None:
    assert attention(name).startswith("its own files")


@pytest.mark.parametrize(
    "name",
    ["MIT", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "GPL-2.0-only OR MIT", "Apache-2.0 WITH LLVM-exception", "ISC"],
)
def test_others_ask_for_their_notice_only(name: str) -> None:
    assert attention(name) == ""


def test_everything_that_serves_states_a_licence_and_binds_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["licences"]) == 0
    listed, _, attended = capsys.readouterr().out.partition("To be looked at:")

    assert "torch 2" in listed
    assert "copyleft" not in attended


def test_the_bill_is_valid_and_has_the_chain_and_nothing_else() -> None:
    pytest.importorskip("cyclonedx_py")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    names = installed(["httpx2"]).keys()
    text = bill_of(names)
    document = json.loads(text)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert {canonicalize_name(one["name"]) for one in document["components"]} == set(names)
    assert document["metadata"]["component"]["name"] == "speechclip-search"
    assert all(one.get("licenses") for one in document["components"] if one["name"] == "httpx2")
    httpx2 = next(one for one in document["dependencies"] if one["ref"].startswith("httpx2=="))
    assert any(ref.startswith("anyio==") for ref in httpx2["dependsOn"])


def test_chains_end_at_what_is_left_out() -> None:
    document = {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [{"name": "A_b", "bom-ref": "a"}, {"name": "c", "bom-ref": "c"}],
        "dependencies": [{"ref": "root", "dependsOn": ["a", "c"]}, {"ref": "a", "dependsOn": ["c"]}, {"ref": "c"}],
    }
    left = only(document, {"a-b"})

    assert left["components"] == [{"name": "A_b", "bom-ref": "a"}]
    assert left["dependencies"] == [{"ref": "root", "dependsOn": ["a"]}, {"ref": "a"}]


GOOD = {"name": "h11", "version": "1", "vulns": []}


def answer(monkeypatch: pytest.MonkeyPatch, dependencies: Iterable[dict[str, Any]]) -> None:
    """What pip-audit prints."""
    monkeypatch.setattr(audit, "run", lambda command, module: json.dumps({"dependencies": list(dependencies)}))
    monkeypatch.setattr(audit, "installed", lambda requirements: {"idna": package("idna"), "h11": package("h11")})


def test_a_known_weakness_is_told_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {"id": "CVE-1", "fix_versions": ["2"]}
    answer(monkeypatch, [{"name": "idna", "version": "1", "vulns": [known]}, GOOD])

    assert audit.main(["advisories"]) == audit.WEAK
    assert "idna 1\tCVE-1\tmended in 2" in capsys.readouterr().out


def test_silence_is_not_taken_for_good_news(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, [{"name": "idna", "skip_reason": "not found"}, GOOD])

    assert audit.main(["advisories"]) == audit.NOT_ASKED
    assert "1 of which the index told nothing" in capsys.readouterr().out


def test_good_news_is_status_0(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, [{"name": name, "version": "1", "vulns": []} for name in ("idna", "h11")])

    assert audit.main(["advisories"]) == 0


def test_a_tool_that_is_missing_or_fails_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    with pytest.raises(ToolFailed, match="scripts/setup audit"):
        bill.run((sys.executable, "-m", "no_such_tool"), "no_such_tool")
    broken = (sys.executable, "-c", "raise OSError('the index does not answer')")
    with pytest.raises(ToolFailed, match="OSError: the index does not answer"):
        bill.run(broken, "x")

    def fail(command: object, module: object) -> str:
        raise ToolFailed("no network")

    monkeypatch.setattr(audit, "run", fail)
    assert audit.main(["advisories"]) == audit.NOT_ASKED
    assert capsys.readouterr().err == "Error: no network\n"
