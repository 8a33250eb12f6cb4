"""`speechclip data check`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.datasets.check import Report, SplitReport
    from training.datasets.dataset import Pair

LISTED = 10  # of each kind of fault; --json lists all

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Corpora of spoken captions and their images.")


@app.callback()
def _data() -> None:
    """A group, whatever the number of its commands."""


@app.command()
def check(
    kind: Annotated[str, typer.Argument(help="flickr8k, spokencoco, spokencoco-plain, manifest or webdataset.")],
    root: Annotated[Path, typer.Argument(help="Its folder; for a manifest or a WebDataset also one file.")],
    split: Annotated[str | None, typer.Option(help="One split; else all that are there.")] = None,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode every recording and image, not only the headers of some.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")] = False,
) -> None:
    """Say what is in a corpus: splits, images, utterances, hours, and what is missing, unreadable or there twice.

    The exit status is 1 if anything is missing, unreadable, or in more than one split.
    """
    # Here, so that help is quick.
    from training.datasets.check import check
    from training.errors import DatasetError

    try:
        report = check(kind, root, split, decode, _watched)
    except DatasetError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps({**asdict(report), "sound": report.sound}, indent=2))
    else:
        _print(report)
    raise typer.Exit(0 if report.sound else 1)


def _watched(pairs: Sequence[Pair]) -> Iterator[Pair]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return iter(
        track(pairs, "looking into the files", console=console, transient=True, disable=not console.is_terminal)
    )


def _print(report: Report) -> None:
    for split in report.splits:
        typer.echo(_summary(split))
        _list("missing", split.missing)
        _list("unreadable", split.unreadable)
        _list("named again, and left out", split.duplicates)
        _list("ids that several images have", [str(id) for id in split.shared_ids])
    _list("images that are in several splits", report.in_several_splits)
    typer.echo("Everything that is named is there." if report.sound else "Not everything is as it should be.")


def _summary(split: SplitReport) -> str:
    facts = [f"{split.images:,} images", f"{split.utterances:,} utterances", f"{split.texts:,} with text"]
    if split.hours is not None:
        exact = split.measured == split.utterances
        facts.append(f"{split.hours:,.2f} hours" if exact else f"about {split.hours:,.1f} hours")
    return f"{split.split}: {', '.join(facts)}"


def _list(title: str, names: Sequence[str]) -> None:
    if not names:
        return
    typer.echo(f"  {title}: {len(names):,}")
    for name in names[:LISTED]:
        typer.echo(f"    {name}")
    if len(names) > LISTED:
        typer.echo(f"    and {len(names) - LISTED:,} more; --json lists all")
