"""`speechclip models list` and `speechclip models pull`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import typer

from app.cli.models import licence_of
from app.cli.terminal import MIB, print_json, print_table, progress_bar, size_of
from app.settings import Settings
from models.published.registry import PublishedModel, load_registry
from models.published.shelf import Shelved, find_pulled, find_shipped, pulled, shipped

Status = Literal["shipped", "here", "damaged", "not here"]


@dataclass(frozen=True)
class Listed:
    """A line of the list. bytes: of the whole folder; licence: as the model's card states it.

    What is not here has no path, bytes and licence; published: what the registry says.
    """

    name: str
    status: Status
    path: str | None
    bytes: int | None
    licence: str | None
    branch: str | None
    dim: int | None
    published: PublishedModel | None


def list_all(settings: Settings, as_json: bool) -> None:
    """Print the shipped, the published and other pulled models. Raises `models.errors.RegistryError`."""
    found = list(_listed(settings))
    if as_json:
        print_json({"models": [_json(one) for one in found]})
    else:
        print_table(("name", "here", "branch", "dim", "recall"), [_row(one) for one in found])


def pull(name: str, settings: Settings) -> None:
    """Bring a published model here, and print its folder. Raises `models.errors.ModelError`."""
    path = find_shipped(name) or find_pulled(settings.models, name) or _pull(name, settings)
    typer.echo(str(path))


def _pull(name: str, settings: Settings) -> Path:
    registry = load_registry(settings.registry)
    registry.get(name)  # what is misspelt is said without waiting for torch
    with progress_bar() as advance:
        advance("starting", 0, 0)
        from models.published.pull import CONVERTING, DOWNLOADING, pull

        def on_step(step: str, done: int, total: int) -> None:
            if step in (DOWNLOADING, CONVERTING):
                step, done, total = f"{step}, MiB", done // MIB, total // MIB
            advance(step, done, total)

        if "HF_HUB_VERBOSITY" not in os.environ:
            # Its warnings are of breaks that are mended, and would go through the bar; the rest are errors of ours.
            logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
        path = pull(name, settings.models, registry, on_step)
    typer.echo(f"{name} is here: it can be chosen as --model {name} or SPEECHCLIP_MODEL={name}.", err=True)
    return path


def _listed(settings: Settings) -> Iterator[Listed]:
    here = {one.name: one for one in pulled(settings.models)}
    for one in shipped():
        yield _line(one.name, one, None, "shipped")
    for published in load_registry(settings.registry).models.values():
        yield _line(published.name, here.pop(published.name, None), published, "here")
    for one in here.values():
        yield _line(one.name, one, None, "here")


def _line(name: str, here: Shelved | None, published: PublishedModel | None, status: Status) -> Listed:
    """A model by what its folder says, where it is here; else by what the registry says."""
    config = here.config if here else None
    return Listed(
        name=name,
        status="not here" if here is None else status if config else "damaged",
        path=str(here.path) if here else None,
        bytes=here.bytes if here else None,
        licence=licence_of(here.card) if here else None,
        branch=config.branch if config else published.branch if published else None,
        dim=config.embedding_size if config else published.embedding_size if published else None,
        published=published,
    )


def _json(one: Listed) -> dict[str, object]:
    published = None if one.published is None else one.published.model_dump(mode="json", exclude={"name"})
    return {field.name: getattr(one, field.name) for field in fields(one)} | {"published": published}


def _row(one: Listed) -> tuple[object, ...]:
    """Narrow enough for the longest name in a terminal of 80 columns."""
    where = one.status if one.bytes is None or one.status == "damaged" else size_of(one.bytes)
    recall = one.published.recall if one.published else None
    return one.name, where, one.branch or "", one.dim or "", f"R@{recall.at} {recall.percent:.2f}" if recall else ""
