"""`speechclip bench`: commands that join the program by an entry point. Nothing is imported before a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bench.report import Report

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
benchmarks = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure this machine, beside a rival.")
app.add_typer(benchmarks, name="bench")

Rounds = Annotated[int, typer.Option(min=1, help="How often each contender is measured.")]
Seed = Annotated[int, typer.Option(help="Of weights and sounds.")]
AsJson = Annotated[Path | None, typer.Option("--json", help="Write all figures to this file too.")]


@app.callback()
def _bench() -> None:
    """A group, whatever the number of its commands."""


@benchmarks.callback()
def _benchmarks() -> None:
    """Likewise."""


@benchmarks.command()
def machine() -> None:
    """What this machine is: the facts that stand above every table."""
    from bench.machine import machine

    for name, value in machine().items():
        typer.echo(f"{name}: {value}")


def tell(report: Report, as_json: Path | None) -> None:
    """The report on standard output, and its figures in a file."""
    typer.echo(report.to_markdown(), nl=False)
    if as_json is not None:
        report.write(as_json)
