"""`speechclip collections`."""

from __future__ import annotations

import typer

from app.cli.local import open_store
from app.cli.plain import plain
from app.cli.terminal import print_facts, print_json, print_table
from app.routes.collections import measured, unavailable
from app.schemas import CollectionDetails
from app.settings import Settings
from index.backend import Store
from index.errors import CollectionError

MODEL_CHARACTERS = 12


def list_all(settings: Settings, as_json: bool) -> None:
    """Print every collection; the JSON is that of `GET /collections`."""
    store = open_store(settings)
    found = [_details(store, name) for name in store.names()]
    if as_json:
        print_json({"collections": [one.model_dump() for one in found]})
    elif found:
        print_table(("name", "kind", "count", "model", "status"), [_row(one) for one in found])
    else:
        typer.echo(f"There are no collections in {plain(settings.data)}.", err=True)


def info(name: str, settings: Settings, as_json: bool) -> None:
    """Print one collection, or raise why it cannot be opened."""
    with open_store(settings).open(name) as collection:
        root = None if collection.media_root is None else str(collection.media_root)
        facts = measured(collection).model_dump() | {"media_root": root}
    if as_json:
        print_json(facts)
    else:
        print_facts([(fact, "-" if value is None else value) for fact, value in facts.items()])


def delete(name: str, settings: Settings, confirm: bool) -> None:
    """Delete a collection, damaged or not; ask first if wanted."""
    store = open_store(settings)
    if confirm and name in store.names():
        typer.confirm(f"Delete collection {name!r} with all its records?", abort=True, err=True)
    store.delete(name)
    typer.echo(f"Collection {name!r} is deleted.", err=True)


def _details(store: Store, name: str) -> CollectionDetails:
    try:
        with store.open(name) as collection:
            return measured(collection)
    except CollectionError as error:
        return unavailable(name, error)


def _row(one: CollectionDetails) -> tuple[object, ...]:
    count = "" if one.count is None else one.count
    return one.name, one.kind or "", count, (one.model or "")[:MODEL_CHARACTERS], one.detail or one.status
