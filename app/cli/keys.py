"""`speechclip keys`."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

import typer
from pydantic import ValidationError

from app.access.keys import KeyRule, digest, new_secret, read_rules
from app.cli.errors import CommandError
from index.durable.files import replace

REMEDIES = {
    "scopes": "a scope is search, write or admin; --scope may come more than once",
    "rate": "that is no rate: write it as 20/second or 1000/hour",
}
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def new(name: str, scopes: Sequence[str], rate: str | None, file: Path | None) -> None:
    """Make a key: it is printed once; what is kept of it goes to the file, or to the terminal."""
    if not NAME.fullmatch(name):
        raise CommandError(f"{name[:80]!r} is no name for a key: 1 to 64 letters, digits, '.', '_' and '-'")
    secret = new_secret()
    try:
        rule = KeyRule.model_validate({"sha256": digest(secret), "scopes": list(scopes), "rate": rate})
    except ValidationError as error:
        wrong = error.errors()[0]["loc"][0]
        raise CommandError(REMEDIES[str(wrong)]) from None
    block = _block(name, rule)
    if file is None:
        typer.echo(f"Put this into the file of SPEECHCLIP_API_KEYS_FILE:\n\n{block}", err=True)
    else:
        _append(file, name, block)
        typer.echo(f"{file} knows the key {name!r} now; restart the service to let it in.", err=True)
    typer.echo("The key itself is shown this once:", err=True)
    typer.echo(secret)


def _block(name: str, rule: KeyRule) -> str:
    scopes = ", ".join(f'"{scope}"' for scope in sorted(rule.scopes))
    lines = [f'[keys."{name}"]', f'sha256 = "{rule.sha256}"', f"scopes = [{scopes}]"]
    return "\n".join([*lines, *([f'rate = "{rule.rate}"'] if rule.rate else [])]) + "\n"


def _append(file: Path, name: str, block: str) -> None:
    """A kill leaves the file as it was, or with the key. Whoever could read it still can; a link stays one."""
    try:
        file = file.resolve()
        there = file.exists()
        if there and name in read_rules(file):
            raise CommandError(f"{file} has a key {name!r} already: take it out first")
        before = file.read_text(encoding="utf-8").rstrip() + "\n\n" if there else ""
        replace(file, lambda new: _write(new, before + block, file.stat() if there else None))
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror or error}") from error


def _write(new: Path, text: str, like: os.stat_result | None) -> None:
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    if like is not None:
        os.chown(new, like.st_uid, like.st_gid)
        new.chmod(stat.S_IMODE(like.st_mode))
