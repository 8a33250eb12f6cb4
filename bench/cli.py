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
def stream(
    recordings: Annotated[Path, typer.Argument(help="Folder with words.csv: recordings of people, one word each.")],
    url: Annotated[str | None, typer.Option(help="A running service with the default collections.")] = None,
    model: Annotated[str, typer.Option(help="Whose encoder is measured: a shipped model, or a folder.")] = "nano",
    count: Annotated[int, typer.Option(min=1, help="Words.")] = 60,
    rounds: Rounds = 7,
    seed: Seed = 0,
    as_json: AsJson = None,
) -> None:
    """Live search: what encoding again costs, and with --url when the right picture is shown."""
    from bench.reencoding import cost_rows, load, same_row
    from bench.report import Report
    from bench.stream import live, live_facts, live_rows, words

    report = Report("Live search", {"model": model, "words": count, "rounds": rounds, "seed": seed})
    spoken = words(recordings, count, seed)
    network = load(model)
    report.add("Encoding again", cost_rows(network, spoken[0].samples, rounds))
    report.add("With kept frames", [same_row(network, [word.samples for word in spoken])])
    if url is not None:
        heard = live(url, spoken)
        report.add("The right picture", live_rows(heard))
        report.add("Answers", live_facts(heard))
    tell(report, as_json)


def tell(report: Report, as_json: Path | None) -> None:
    """The report on standard output, and its figures in a file."""
    typer.echo(report.to_markdown(), nl=False)
    if as_json is not None:
        report.write(as_json)
