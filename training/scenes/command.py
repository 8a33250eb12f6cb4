"""`speechclip data scenes`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.scenes.shards import Recipe

PACKAGES = Path("work/nano/packages")


def scenes(
    out: Annotated[Path, typer.Argument(help="The folder to write tar files to.")],
    train: Annotated[int, typer.Option("--scenes", min=0, help="Scenes to train on; 100 in a tar file.")] = 4_000,
    dev: Annotated[int, typer.Option(min=0, help="Scenes to choose by.")] = 300,
    test_voices: Annotated[int, typer.Option(min=0, help="Scenes spoken by voices that training never hears.")] = 1_000,
    test_compositions: Annotated[int, typer.Option(min=0, help="Scenes of things never seen together.")] = 300,
    test_drawings: Annotated[int, typer.Option(min=0, help="Scenes of drawings never seen.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed gives the same corpus.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    voice: Annotated[
        list[str] | None, typer.Option(help="ENGINE=SHARE, once for each engine that is to speak; else all do.")
    ] = None,
    unheard: Annotated[
        list[str] | None, typer.Option(help="ENGINE=SHARE, the same for test_voices: flite and kokoro.")
    ] = None,
    packages: Annotated[
        Path, typer.Option(help="Drawings, names and voices, as `python -m training fetch` gets them.")
    ] = PACKAGES,
) -> None:
    """Make a corpus of pictures, each with five spoken captions, as WebDataset tar files.

    Stopped at any moment, the same command goes on where it was, and the end is the same. A number that is raised
    later adds tar files to those that are there.
    """
    # Here, so that help is quick.
    from training.errors import NotReady
    from training.scenes.cast import SHARES, UNHEARD_SHARES
    from training.scenes.shards import Recipe

    sizes = {
        "train": train,
        "dev": dev,
        "test_voices": test_voices,
        "test_compositions": test_compositions,
        "test_drawings": test_drawings,
    }
    try:
        recipe = Recipe(packages.absolute(), seed, _shares(voice, SHARES), _shares(unheard, UNHEARD_SHARES))
        _make(recipe, out, sizes, workers)
    except NotReady as error:
        raise _refused(str(error)) from None
    except OSError as error:
        raise _refused(f"{error.filename or out} cannot be written: {error.strerror}") from None


def _refused(reason: str) -> typer.Exit:
    typer.echo(f"Error: {reason}", err=True)
    return typer.Exit(1)


def _shares(given: Iterable[str] | None, usual: Mapping[str, float]) -> Mapping[str, float]:
    """Shares of the engines that are named, by the names that are known. Raises `BadParameter`."""
    if not given:
        return usual
    shares = dict[str, float]()
    for text in given:
        name, _, share = text.partition("=")
        if name not in usual:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(usual)}")
        try:
            shares[name] = float(share)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not as in {name}=0.5") from None
        if not (math.isfinite(shares[name]) and shares[name] > 0):
            raise typer.BadParameter(f"the share of {name} is {share}, and has to be more than nothing")
    return shares


def _make(recipe: Recipe, out: Path, sizes: Mapping[str, int], workers: int) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from training.scenes.corpus import make_corpus, total

    console = Console(stderr=True)
    columns = (TextColumn("scenes"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("scenes", total=total(recipe, sizes))
        for done in make_corpus(recipe, out, sizes, workers):
            progress.update(bar, completed=done)
    typer.echo(f"{total(recipe, sizes):,} scenes are in {out}.")
