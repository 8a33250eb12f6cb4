"""Arguments and options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# None leaves a setting to its environment variable, SPEECHCLIP_..., and to its default after that.
Model = Annotated[str | None, typer.Option(help="A shipped or pulled model, or a model folder.")]
Data = Annotated[Path | None, typer.Option(help="The folder that holds the collections and pulled models.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")]
Name = Annotated[str, typer.Argument(help="The name of a collection.")]
