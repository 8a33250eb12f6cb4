"""What is installed because of this project: `python -m scripts.audit [--extra NAME] advisories|licences|bill`.

`advisories` asks the package index which of these versions have known weaknesses: exit status 1 where some have, 2
where it could not be asked about all of them. `licences` lists under what each is; `bill` prints a bill of materials
(CycloneDX). The tools are in the extra `audit`: `scripts/setup audit`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scripts.bill import ToolFailed, bill_of, run
from scripts.installed import installed
from scripts.licences import licences_of

DISTRIBUTION = "speechclip-search"
WEAK, NOT_ASKED = 1, 2


def main(arguments: Sequence[str]) -> int:
    """Do what is asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.audit", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["advisories", "licences", "bill"])
    parser.add_argument("--extra", action="append", help="of the project; by default cpu or gpu, whichever is here")
    asked = parser.parse_args(arguments)
    found = installed([f"{DISTRIBUTION}[{','.join(asked.extra or [_accelerator()])}]"])
    try:
        return {"advisories": _advisories, "licences": _licences, "bill": _bill}[asked.what](found)
    except ToolFailed as error:
        print(f"Error: {error}", file=sys.stderr)
        return NOT_ASKED


def _licences(found: Mapping[str, Distribution]) -> int:
    listed = licences_of(found.values())
    for one in listed:
        print(f"{one.name} {one.version}\t{one.licence}")
    print(f"\n{len(listed)} packages. To be looked at:")
    for one in listed:
        if one.attention:
            print(f"{one.name} {one.version}\t{one.licence}\t{one.attention}")
    return 0


def _bill(found: Mapping[str, Distribution]) -> int:
    print(bill_of(found.keys()), end="")
    return 0


def _advisories(found: Mapping[str, Distribution]) -> int:
    pins = {name: _public(one.version) for name, one in found.items() if name != DISTRIBUTION}
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "pins.txt"
        listed.write_text("".join(f"{name}=={number}\n" for name, number in pins.items()))
        command = (
            sys.executable, "-m", "pip_audit", "--requirement", str(listed), "--no-deps", "--disable-pip",
            "--progress-spinner", "off", "--format", "json", "--timeout", "10",
        )  # fmt: skip
        told = json.loads(run(command, "pip_audit"))
    return report(told["dependencies"], len(pins))


def report(dependencies: Sequence[Mapping[str, Any]], asked: int) -> int:
    """Print what the index knows of each; the exit status."""
    weak = [one for one in dependencies if one.get("vulns")]
    silent = asked - len([one for one in dependencies if "skip_reason" not in one])
    for one in weak:
        for known in one["vulns"]:
            cure = ", ".join(known.get("fix_versions", ())) or "no version yet"
            print(f"{one['name']} {one['version']}\t{known['id']}\tmended in {cure}")
    print(f"{asked} packages: {len(weak)} with known weaknesses, {silent} of which the index told nothing.")
    if silent:
        print("Ask again from a network that reaches the index itself: a mirror may know nothing.", file=sys.stderr)
    return WEAK if weak else NOT_ASKED if silent else 0


def _public(number: str) -> str:
    """A version without its build, of which no advisory speaks: 2.13.0+cpu is 2.13.0."""
    return number.partition("+")[0]


def _accelerator() -> str:
    try:
        version("faiss-gpu")
    except PackageNotFoundError:
        return "cpu"
    return "gpu"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
