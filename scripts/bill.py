"""The bill of materials (SBOM): what is installed because of the project, as CycloneDX in JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
COMMAND = (
    sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(PROJECT), "--output-reproducible",
    "--no-validate",
    "--spec-version", "1.6", "--output-format", "JSON",
)  # fmt: skip


def bill_of(names: Container[str]) -> str:
    """The document of the packages with these canonical names. Raises `ToolFailed`."""
    document = json.loads(run(COMMAND, "cyclonedx_py"))
    return json.dumps(only(document, names), indent=2) + "\n"


def only(document: dict[str, Any], names: Container[str]) -> dict[str, Any]:
    """A document without the components of other names, and without what is said of those."""
    kept = [one for one in document.get("components", ()) if canonicalize_name(one["name"]) in names]
    refs = {one["bom-ref"] for one in kept} | {document["metadata"]["component"]["bom-ref"]}
    chains = [_within(one, refs) for one in document.get("dependencies", ()) if one["ref"] in refs]
    return {**document, "components": kept, "dependencies": chains}


class ToolFailed(Exception):
    """A tool of the extra `audit` is missing, or could not do its work."""


def run(command: tuple[str, ...], module: str) -> str:
    """What a tool prints, whatever its exit status. Raises `ToolFailed` where that is nothing."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if f"No module named {module}" in done.stderr:
        raise ToolFailed(f"{module} is not installed: scripts/setup audit")
    if not done.stdout.strip():
        raise ToolFailed(next(iter(reversed(done.stderr.strip().splitlines())), f"{module} said nothing"))
    return done.stdout


def _within(dependency: dict[str, Any], refs: set[str]) -> dict[str, Any]:
    inside = [ref for ref in dependency.get("dependsOn", ()) if ref in refs]
    return {"ref": dependency["ref"], **({"dependsOn": inside} if inside else {})}
