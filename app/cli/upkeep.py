"""`speechclip collections create`, `compact`, `snapshot` and `restore`."""

from __future__ import annotations

import os.path
from pathlib import Path

import typer

from app.cli.errors import CommandError
from app.cli.local import load_model, open_store
from app.cli.plain import plain
from app.cli.terminal import size_of, waiting
from app.errors import SnapshotNotFound
from app.keeping.snapshots import new_snapshot, snapshot_file
from app.settings import Settings
from index.durable.snapshot import Snapshot
from index.errors import CollectionExists
from index.manifest import Kind


def create(name: str, kind: Kind, settings: Settings) -> None:
    """Make an empty collection."""
    store = open_store(settings)
    if name in store.names():
        # Said without waiting for the model.
        raise CollectionExists(f"there is a collection {name!r} already")
    encoder = load_model(settings)
    store.create(name, kind, encoder.dim, encoder.fingerprint).close()
    typer.echo(f"Collection {name!r} is made.", err=True)


def compact(name: str, settings: Settings) -> None:
    with open_store(settings).open(name) as collection, waiting(f"compacting {name}"):
        before, after = collection.compact()
    typer.echo(f"Collection {name!r}: {size_of(before)} before, {size_of(after)} now.", err=True)


def snapshot(name: str, file: Path | None, settings: Settings) -> None:
    """Make a snapshot, and print its path."""
    path = new_snapshot(settings.snapshots, name) if file is None else file.absolute()
    if os.path.lexists(path):
        raise CommandError(f"there is a file {path} already")
    with open_store(settings).open(name) as collection, waiting(f"making a snapshot of {name}"):
        made = collection.snapshot(path)
    typer.echo(f"{made.contents.count} records of {name!r}, {size_of(made.bytes)}, sha256 {made.sha256}", err=True)
    typer.echo(plain(made.path))


def restore(file: Path, name: str | None, replace: bool, settings: Settings) -> None:
    """Make a collection of a snapshot, or put it in the place of one."""
    with waiting(f"verifying {file.name}"):
        snapshot = Snapshot(_found(file, settings))
    name = name or snapshot.contents.manifest.name
    with waiting(f"restoring {name}"), open_store(settings).restore(snapshot, name, replace) as collection:
        count = collection.count
    typer.echo(f"Collection {name!r} has the {count} records of {file.name}.", err=True)


def _found(file: Path, settings: Settings) -> Path:
    # Unlike that of `Path`, it raises nothing where a folder may not be entered.
    if os.path.isfile(file):
        return file
    try:
        return snapshot_file(settings.snapshots, str(file))
    except SnapshotNotFound:
        raise CommandError(f"there is no file {file}, and no snapshot of that name in {settings.snapshots}") from None
