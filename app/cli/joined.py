"""Commands that other packages bring: each is a `typer.Typer` behind an entry point of the group `speechclip.commands`.

They are looked for only where a command is not one of the program's own, and for its help: whatever is wrong with one
of them, the service starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.main import get_group

from app.version import DISTRIBUTION

GROUP = "speechclip.commands"


@dataclass(frozen=True)
class Joined:
    """commands: by name; absent: for every package whose commands cannot be had, why."""

    commands: Mapping[str, Any]
    absent: Sequence[str]


def joined_commands() -> Joined:
    """Those of all packages that are installed; of two with the same name, that of the package whose name is first."""
    commands, absent = dict[str, Any](), list[str]()
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name, reverse=True):
        try:
            commands |= _commands_of(entry)
        except Exception as error:  # of code that is not ours: nothing in it may end this program
            absent.append(_why(entry, error))
    return Joined(commands, absent)


def _commands_of(entry: EntryPoint) -> Mapping[str, Any]:
    found = entry.load()
    if not isinstance(found, typer.Typer):
        raise TypeError(f"{entry.value} is no typer.Typer")
    return get_group(found).commands


def _why(entry: EntryPoint, error: Exception) -> str:
    reason = f"the commands of {entry.name} cannot be loaded ({str(error) or type(error).__name__})"
    if isinstance(error, ImportError) and entry.extras:
        return f"{reason}: install {DISTRIBUTION} with its extra `{entry.extras[0]}`"
    return reason
