"""`speechclip models convert`."""

from __future__ import annotations

from pathlib import Path

import typer

from app.cli.terminal import MIB, print_json, progress_bar
from models.new_folder import require_free_name
from models.official.archive import read_archive
from models.published.shelf import WEIGHTS


def convert(checkpoint: Path, out: Path, name: str | None, as_json: bool) -> None:
    """Make a model folder, and print it. Raises `models.errors.ModelError`."""
    # What is wrong with the paths is said without waiting for torch.
    require_free_name(out)
    read_archive(checkpoint)
    with progress_bar() as advance:
        advance("starting", 0, 0)
        from models.official.convert import convert

        folder = convert(
            checkpoint,
            out,
            name or out.absolute().name,
            lambda done, total: advance("converting, MiB", done // MIB, total // MIB),
        )
    config = folder.config
    if as_json:
        print_json(
            {
                "name": config.name,
                "path": str(folder.path),
                "fingerprint": folder.fingerprint,
                "dim": config.embedding_size,
                "branch": config.branch,
                "search_branch": config.search_branch,
                "bytes": (folder.path / WEIGHTS).stat().st_size,
            }
        )
        return
    typer.echo(str(folder.path))
    typer.echo(f"{config.name} is a {config.branch} model: it can be chosen as --model {folder.path}.", err=True)
