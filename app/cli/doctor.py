"""`speechclip doctor`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from pydantic import ValidationError

from app.cli.terminal import print_json, print_table, waiting
from app.diagnosis import Finding, diagnose
from app.diagnosis.configuration import refused_settings
from app.settings import Settings


def doctor(model: str | None, data: Path | None, as_json: bool) -> int:
    """Print what is found, and return the exit status: 1 where anything failed."""
    with waiting("looking at everything"):
        found = _found({name: value for name, value in (("model", model), ("data", data)) if value is not None})
    counts = Counter(one.level for one in found)
    if as_json:
        told = [asdict(one) for one in found]
        print_json({"status": "fail" if counts["fail"] else "ok", "findings": told})
    else:
        _print(found)
        typer.echo(f"\n{counts['ok']} in order, {counts['warn']} to think about, {counts['fail']} to repair.")
    return 1 if counts["fail"] else 0


def _found(given: dict[str, object]) -> list[Finding]:
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        return diagnose(None, os.environ, refused_settings(error))
    return diagnose(settings, os.environ)


def _print(found: Sequence[Finding]) -> None:
    rows: list[tuple[str, str, str]] = []
    for one in found:
        rows.append((one.level, one.area, one.found))
        if one.advice:
            rows.append(("", "", f"→ {one.advice}"))
    print_table(("", "what", "found"), rows)
