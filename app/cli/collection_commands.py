"""The commands of `speechclip collections` and `speechclip items`: what they are called and what they take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.options import Data, Json, Model, Name

MOST_LISTED = 1000

collections = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, describe and keep collections.")
items = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Store, show or delete items of a collection.")

Ids = Annotated[list[str], typer.Argument(help="Ids of records.")]


@collections.command("list")
def list_collections(data: Data = None, as_json: Json = False) -> None:
    """Every collection, those that cannot be used among them, with the reason."""
    from app.cli.collections import list_all
    from app.cli.local import settings_of

    list_all(settings_of(data=data), as_json)


@collections.command("info")
def describe_collection(name: Name, data: Data = None, as_json: Json = False) -> None:
    """One collection: its kind, size, model and media folder."""
    from app.cli.collections import info
    from app.cli.local import settings_of

    info(name, settings_of(data=data), as_json)


@collections.command("delete")
def delete_collection(
    name: Name,
    data: Data = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a collection with all its records. The images themselves stay where they are."""
    from app.cli.collections import delete
    from app.cli.local import settings_of

    delete(name, settings_of(data=data), confirm=not yes)


@collections.command("create")
def create_collection(
    name: Name,
    kind: Annotated[Literal["images", "captions", "keywords", "audio"], typer.Option(help="What it holds.")] = "images",
    model: Model = None,
    data: Data = None,
) -> None:
    """Make an empty collection for vectors of the model."""
    from app.cli.local import settings_of
    from app.cli.upkeep import create

    create(name, kind, settings_of(model=model, data=data))


@collections.command("compact")
def compact_collection(name: Name, data: Data = None) -> None:
    """Give back the room of what was deleted or replaced, records and kept media."""
    from app.cli.local import settings_of
    from app.cli.upkeep import compact

    compact(name, settings_of(data=data))


@collections.command("snapshot")
def snapshot_collection(
    name: Name,
    file: Annotated[Path | None, typer.Argument(help="Where it goes; else into the folder of snapshots.")] = None,
    data: Data = None,
) -> None:
    """Put all of a collection into one file, and print where that is. Media that lies elsewhere is not in it."""
    from app.cli.local import settings_of
    from app.cli.upkeep import snapshot

    snapshot(name, file, settings_of(data=data))


@collections.command("restore")
def restore_collection(
    file: Annotated[Path, typer.Argument(help="A snapshot: a file, or the name of one in the folder of snapshots.")],
    name: Annotated[str | None, typer.Option(help="What it is to be called; else as it was.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Also in the place of a collection of that name.")] = False,
    data: Data = None,
) -> None:
    """Make a collection of a snapshot, which is verified before anything is replaced. Restore only what you trust."""
    from app.cli.local import settings_of
    from app.cli.upkeep import restore

    restore(file, name, replace, settings_of(data=data))


@collections.command("copy")
def copy_collection(
    name: Name,
    to: Annotated[str, typer.Option("--to", help="A store: faiss, milvus-lite, or milvus://HOST[:PORT].")],
    source: Annotated[str | None, typer.Option("--from", help="The same; else the store that is in use.")] = None,
    data: Data = None,
) -> None:
    """Copy a collection to another store. What is there already is passed over, so a run that was cut off goes on."""
    from app.cli.copying import copy
    from app.cli.local import settings_of

    raise typer.Exit(copy(name, to, settings_of(data=data, store=source)))


Memory = Annotated[str | None, typer.Option(help="For the index, 8GiB say; else half of what the machine has.")]


@collections.command("plan")
def plan_collection(
    count: Annotated[str, typer.Option(help="How many vectors: 200000, 10M or 1B, say.")],
    dim: Annotated[int, typer.Option(min=1, max=65536, help="How many numbers each has.")] = 512,
    memory: Memory = None,
    as_json: Json = False,
) -> None:
    """Which index for how many vectors in how much memory, what each would take, and why."""
    from app.cli.large import plan

    plan(count, dim, memory, as_json)


@collections.command("build")
def build_collection(
    name: Name,
    recipe: Annotated[
        Literal["Flat", "FP16", "SQ8", "HNSW", "HNSW-SQ8", "IVF-Flat", "IVF-SQ8", "IVF-PQ"] | None,
        typer.Option(help="Which index; else the one that `plan` recommends."),
    ] = None,
    recall: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="How much of what exact search finds it must find (recall@10).")
    ] = 0.95,
    memory: Memory = None,
    data: Data = None,
) -> None:
    """Build the index of a large collection, which searches without comparing every vector.

    It is tuned until it finds what is asked for, or refused. It is built again by itself when much has changed.
    """
    from app.cli.large import build
    from app.cli.local import settings_of

    build(name, recipe, recall, memory, settings_of(data=data))


@items.command("add")
def add_items(
    collection: Name,
    sources: Annotated[list[str], typer.Argument(help="Image or audio files, - for one on stdin, or texts.")],
    id: Annotated[str | None, typer.Option(help="Of the record, new or replaced, where there is one source.")] = None,
    caption: Annotated[str | None, typer.Option(help="Else the name of the file.")] = None,
    uri: Annotated[str | None, typer.Option(help="Where the media is; then none is kept.")] = None,
    metadata: Annotated[str | None, typer.Option(help="A JSON object, for all of them.")] = None,
    model: Model = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Store items in a collection, all or none of them; their files are kept with it. For folders there is `index`."""
    from app.cli.items import Said, add
    from app.cli.local import settings_of

    add(collection, sources, Said(id, caption, uri, metadata), settings_of(model=model, data=data), as_json)


@items.command("get")
def get_item(collection: Name, id: Annotated[str, typer.Argument(help="Of the record.")], data: Data = None) -> None:
    """Print one record as JSON."""
    from app.cli.items import get
    from app.cli.local import settings_of

    get(collection, id, settings_of(data=data))


@items.command("delete")
def delete_items(collection: Name, ids: Ids, data: Data = None) -> None:
    """Delete records in one step; ids that are not there are passed over."""
    from app.cli.items import delete
    from app.cli.local import settings_of

    delete(collection, ids, settings_of(data=data))


@items.command("list")
def list_items(
    collection: Name,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="How many.")] = 100,
    after: Annotated[str | None, typer.Option(help="Only those whose ids come after this one.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Records in the order of their ids."""
    from app.cli.items import list_some
    from app.cli.local import settings_of

    list_some(collection, limit, after, settings_of(data=data), as_json)
