"""`speechclip train`. Only what `--help` needs is imported before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe that ships, such as parallel-base-flickr, or a TOML file.")],
    kind: Annotated[str, typer.Option("--data", "--dataset", help="The layout of the data set, as for `data check`.")],
    root: Annotated[Path, typer.Option(help="Its folder; for a manifest or a WebDataset also one file.")],
    out: Annotated[Path, typer.Option(help="Where checkpoints, logs and, at the end, the model folder go.")],
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings of the recipe to change.")
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(help="Where features are kept, for all trainings that share them; in OUT by default."),
    ] = None,
    pulled: Annotated[
        Path | None, typer.Option(envvar="SPEECHCLIP_DATA", help="The folder that holds pulled models.")
    ] = None,
) -> None:
    """Train a model as it was published, or as a recipe of your own says.

    Run again after it was cut off, it goes on from the last checkpoint.
    """
    from models.errors import ModelError
    from models.published.shelf import default_data, models_below
    from training.errors import NotReady
    from training.published.recipe_file import load_recipe

    try:
        told = load_recipe(recipe, changes or [])
        _require_lightning()
        from training.published.run import Training, train

        folder = train(Training(told, kind, root, out, models_below(pulled or default_data()), features), _tell)
    except (NotReady, ModelError) as error:
        typer.echo(f"Error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(1) from None
    if folder is not None:
        typer.echo(f"The model is {folder}.")


def _require_lightning() -> None:
    """Raises `NotReady`."""
    from importlib.util import find_spec

    from training.errors import NotReady

    if find_spec("lightning") is None:
        raise NotReady("training needs Lightning: install speechclip-search with its extra `train`")


def _tell(line: str) -> None:
    typer.echo(line, err=True)
