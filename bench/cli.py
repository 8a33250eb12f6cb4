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


@benchmarks.command()
def encode(
    models: Annotated[
        list[str] | None, typer.Option("--model", help="nano, base-parallel, base-cascaded, large-parallel, ...")
    ] = None,
    seconds: Annotated[list[float] | None, typer.Option(min=0.1, max=60, help="Of an utterance.")] = None,
    batches: Annotated[list[int] | None, typer.Option("--batch", min=1, help="Utterances of one call.")] = None,
    rounds: Rounds = 7,
    seed: Seed = 7122,
    threads: Annotated[int, typer.Option(min=1, help="That PyTorch may use.")] = 1,
    as_json: AsJson = None,
) -> None:
    """Speech to vectors, beside what the published example does, for models of full size with random weights."""
    from bench.encode import Wish, encode
    from bench.full_size import NAMES

    chosen = models or ["nano", "base-parallel", "base-cascaded"]
    if unknown := sorted(set(chosen) - set(NAMES)):
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join(NAMES)}")
    tell(encode(Wish(chosen, seconds or [3.0], batches or [1], rounds, seed, threads)), as_json)


def tell(report: Report, as_json: Path | None) -> None:
    """The report on standard output, and its figures in a file."""
    typer.echo(report.to_markdown(), nl=False)
    if as_json is not None:
        report.write(as_json)
