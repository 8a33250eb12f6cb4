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

    chosen = _known(models or ["nano", "base-parallel", "base-cascaded"])
    tell(encode(Wish(chosen, seconds or [3.0], batches or [1], rounds, seed, threads)), as_json)


@benchmarks.command()
def steps(
    models: Annotated[list[str] | None, typer.Option("--model", help="As for encode.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="Of an utterance.")] = 3.0,
    bf16: Annotated[bool, typer.Option(help="Products in bfloat16 instead of float32.")] = False,
    rounds: Rounds = 7,
    seed: Seed = 7122,
    as_json: AsJson = None,
) -> None:
    """What makes speech to vectors quick on a CPU: each step switched off alone, beside all of them on."""
    from bench.steps import steps

    chosen = _known(models or ["base-parallel", "base-cascaded"])
    tell(steps(chosen, seconds, "bf16" if bf16 else "fp32", rounds, seed), as_json)


@benchmarks.command()
def precision(
    recordings: Annotated[Path, typer.Argument(help="A folder of recordings: each is a query.")],
    model: Annotated[str, typer.Option(help="As for encode.")] = "nano",
    max_seconds: Annotated[float, typer.Option(help="Longer recordings are passed over.")] = 20.0,
    threads: Annotated[int, typer.Option(min=1, help="That PyTorch may use.")] = 1,
    as_json: AsJson = None,
) -> None:
    """Which vectors and ranks the precision changes, against the network as it is trained."""
    from bench.precision import precision

    tell(precision(_known([model])[0], recordings, max_seconds, threads), as_json)


@benchmarks.command()
def bulk(
    models: Annotated[list[str] | None, typer.Option("--model", help="As for encode.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images or captions of one call.")] = 16,
    rounds: Rounds = 5,
    seed: Seed = 7122,
    threads: Annotated[int, typer.Option(min=1, help="That PyTorch may use.")] = 1,
    as_json: AsJson = None,
) -> None:
    """Images and captions in a second, beside open_clip as it comes. Speech is in `encode`, with batches."""
    from bench.bulk import bulk

    tell(bulk(_known(models or ["nano", "base-parallel"]), batch, rounds, seed, threads), as_json)


@benchmarks.command()
def search(
    folder: Annotated[Path, typer.Option(help="Where the collection is made, or was made by an earlier run.")],
    recipes: Annotated[
        list[str] | None, typer.Argument(help="Recipes, such as IVF-SQ8; without any it is filled.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Vectors.")] = 10_000,
    dim: Annotated[int, typer.Option(min=1, help="Of a vector.")] = 512,
) -> None:
    """Kinds of index: what building, searching and opening cost, and what is found."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "bench.large_collection", "--count", str(count), "--dim", str(dim)]
    done = subprocess.run([*command, "--folder", str(folder), *(recipes or [])], check=False)
    raise typer.Exit(done.returncode)


def _known(models: list[str]) -> list[str]:
    from bench.full_size import NAMES

    if unknown := sorted(set(models) - set(NAMES)):
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join(NAMES)}")
    return models


Model = Annotated[str, typer.Option(help="A shipped or pulled model, a model folder, or as for encode.")]


@benchmarks.command()
def http(
    model: Model = "nano",
    rounds: Rounds = 3,
    seed: Seed = 0,
    each: Annotated[float, typer.Option(min=1, help="Seconds that each contender is asked in a round.")] = 5.0,
    as_json: AsJson = None,
) -> None:
    """Whole queries: 1 to 64 clients, mixed files; beside the bare encoder, other ways to batch, and recognition."""
    from bench.http import run

    tell(run(model, rounds, seed, each), as_json)


@benchmarks.command()
def overload(
    model: Model = "nano",
    seed: Seed = 0,
    times: Annotated[
        float, typer.Option(min=1, help="Queries offered, in multiples of the most that are answered.")
    ] = 10.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long.")] = 60.0,
    as_json: AsJson = None,
) -> None:
    """Many times the queries that can be answered."""
    from bench.overload import run

    tell(run(model, seed, times, seconds), as_json)


@benchmarks.command()
def start(model: Model = "nano", rounds: Rounds = 5, seed: Seed = 0, as_json: AsJson = None) -> None:
    """From the start of the process until queries are answered; memory at rest."""
    from bench.start import run

    tell(run(model, rounds, seed), as_json)


def tell(report: Report, as_json: Path | None) -> None:
    """The report on standard output, and its figures in a file."""
    typer.echo(report.to_markdown(), nl=False)
    if as_json is not None:
        report.write(as_json)
