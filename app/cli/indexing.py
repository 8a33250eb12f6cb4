"""`speechclip index`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import typer
from numpy.typing import NDArray

from app.bulk import local
from app.bulk.decoding import give_memory_back
from app.bulk.embedding import BATCH, VECTOR_BATCH, Embedded
from app.bulk.items import Bad, Found, Item
from app.bulk.rows import MEDIA
from app.bulk.selection import select
from app.bulk.sources import Sources, find, nothing_found
from app.bulk.tally import Tally
from app.chosen import chosen_model
from app.cli.errors import CommandError, sentence
from app.cli.indexing_bar import indexing_bar
from app.cli.local import load_model, open_store
from app.cli.plain import plain
from app.cli.stopping import stoppable
from app.cli.terminal import print_json
from app.demo import is_default
from app.settings import Settings
from index.backend import Collection
from index.errors import CollectionNotFound, InvalidRecord
from index.manifest import Kind
from index.records import Record
from models.protocol import Encoder

Engine = Literal["local", "ray"]

TOLD = 10  # failures that are told at the terminal
DONE, FAILED, STOPPED = 0, 1, 130
"""Exit statuses: all is there; something could not be used; somebody stopped it."""


@dataclass(frozen=True)
class Wish:
    """What was asked for.

    media_root: what paths in the collection are to be relative to; trust_vectors: vectors from elsewhere were made by
    the model in use; report: where the failures are listed.
    """

    kind: Kind | None = None
    media_root: Path | None = None
    trust_vectors: bool = False
    engine: Engine = "local"
    report: Path | None = None


def index(name: str, paths: Sequence[Path], wish: Wish, settings: Settings, as_json: bool) -> int:
    """Index the sources, print what was done, and return the exit status."""
    started_at = time.perf_counter()
    give_memory_back()
    sources = find(paths)
    _require_trust(sources, wish)
    with ExitStack() as stack:
        store = open_store(settings)
        try:
            collection: Collection | None = stack.enter_context(store.open(name))
        except CollectionNotFound:
            collection = None
        kind = _kind(sources, wish, collection)
        root = _root(collection, kind, sources, wish.media_root)
        found = stack.enter_context(closing(sources.items(kind, root)))
        some = _some(found, kind)
        encoder = load_model(settings)
        _require_dim(sources, encoder)
        if collection is None:
            new = store.create(name, kind, encoder.dim, encoder.fingerprint, root)
            collection = stack.enter_context(new)
        collection.require(encoder.fingerprint)
        tally = stack.enter_context(Tally(wish.report or settings.data / "reports" / f"{name}.jsonl"))
        items = stack.enter_context(closing(select(some, collection, tally)))
        size = VECTOR_BATCH if sources.dim else BATCH[kind]
        stopped = _add(collection, _engine(wish, items, kind, encoder, settings, size), sources, tally)
        count = collection.count
    _print(name, kind, tally, count, time.perf_counter() - started_at, stopped, as_json)
    return STOPPED if stopped else FAILED if tally.failed else DONE


def _require_trust(sources: Sources, wish: Wish) -> None:
    if sources.dim is not None and not wish.trust_vectors:
        raise CommandError(
            "vectors do not tell which model made them, and those of another model find nothing: "
            "say with --trust-vectors that it was the model in use, which --model names"
        )


def _require_dim(sources: Sources, encoder: Encoder) -> None:
    if sources.dim not in (None, encoder.dim):
        raise CommandError(
            f"the vectors have {sources.dim} numbers, those of the model {encoder.name!r} have {encoder.dim}: "
            "they were made by another model"
        )


def _kind(sources: Sources, wish: Wish, collection: Collection | None) -> Kind:
    if collection is None:
        return sources.kind(wish.kind, None)
    if is_default(collection):
        raise CommandError(
            f"collection {collection.name!r} is one of those that the service makes for itself: choose another name, "
            "or delete it first"
        )
    kind = sources.kind(wish.kind, collection.kind)
    if collection.kind != kind:
        raise CommandError(f"collection {collection.name!r} holds {collection.kind}, these are {kind}")
    return kind


def _root(collection: Collection | None, kind: Kind, sources: Sources, wanted: Path | None) -> Path | None:
    """The folder that ids and uris are relative to; an existing collection has one already, or none."""
    root = sources.root if wanted is None else wanted.resolve()
    if collection is None and wanted is None and root in (Path("/"), _home()):
        # Whoever may write items could read all that is below it.
        raise CommandError(f"these files have nothing nearer in common than {root}: name a folder with --media-root")
    if collection is not None:
        if wanted is not None and collection.media_root != root:
            raise CommandError(f"collection {collection.name!r} has its files below {_told(collection.media_root)}")
        root = collection.media_root
    needed = sources.root if sources.files is None and root is None else sources.files
    if kind in MEDIA and needed is not None and (root is None or not needed.is_relative_to(root)):
        whose = "the collection" if collection is None else f"collection {collection.name!r}"
        raise CommandError(f"{whose} has its files below {_told(root)}, and {needed} is not there")
    return root


def _home() -> Path | None:
    try:
        return Path.home().resolve()
    except (OSError, RuntimeError):
        return None


def _told(root: Path | None) -> str:
    return "no folder" if root is None else str(root)


def _some(found: Iterator[Found], kind: Kind) -> Iterator[Found]:
    """The same, but at least one: nothing is loaded or made for nothing."""
    first = next(found, None)
    if first is None:
        raise nothing_found(kind)
    return chain([first], found)


def _engine(
    wish: Wish, items: Iterator[Item], kind: Kind, encoder: Encoder, settings: Settings, size: int
) -> AbstractContextManager[Iterator[Embedded]]:
    if wish.engine == "ray":
        from app.bulk import ray_engine
        from models.encoder import load_encoder

        load = partial(load_encoder, chosen_model(settings), settings.precision)
        return ray_engine.embedded(items, kind, load, settings.max_seconds, size)
    return local.embedded(items, kind, encoder, settings.max_seconds, size)


def _add(
    collection: Collection, engine: AbstractContextManager[Iterator[Embedded]], sources: Sources, tally: Tally
) -> bool:
    """Make batch after batch durable. Whether somebody stopped it before the end."""
    with stoppable() as stop, indexing_bar(collection.name, tally, sources.size), engine as batches:
        for batch in batches:
            refused = _stored(collection, batch.records, batch.vectors)
            tally.add(len(batch.records) - len(refused), batch.weight)
            for bad in [*batch.bad, *refused]:
                tally.fail(bad)
            if stop.is_set():
                return True
    return False


def _stored(collection: Collection, records: Sequence[Record], vectors: NDArray[np.float32]) -> list[Bad]:
    """What the store refuses even by itself: each has rules of its own."""
    try:
        collection.add(records, vectors)
    except InvalidRecord as error:
        if len(records) == 1:
            return [Bad(records[0].id, sentence(error))]
        middle = len(records) // 2
        first = _stored(collection, records[:middle], vectors[:middle])
        return [*first, *_stored(collection, records[middle:], vectors[middle:])]
    return []


def _print(name: str, kind: Kind, tally: Tally, count: int, seconds: float, stopped: bool, as_json: bool) -> None:
    report = str(tally.path) if tally.failed else None
    for bad in tally.first[:TOLD]:
        typer.echo(f"skipped {plain(bad.where)}: {plain(bad.reason)}", err=True)
    if tally.failed > TOLD:
        typer.echo(f"and {tally.failed - TOLD:,} more", err=True)
    if report:
        typer.echo(f"the whole list is in {plain(report)}", err=True)
    if as_json:
        skipped = [{"source": bad.where, "reason": bad.reason} for bad in tally.first]
        facts = {"collection": name, "kind": kind, "added": tally.added, "known": tally.known, "failed": tally.failed}
        told = {"skipped": skipped, "report": report, "stopped": stopped, "count": count}
        print_json({**facts, **told, "seconds": round(seconds, 2)})
        return
    typer.echo(
        f"{name}: {tally.added:,} added, {tally.known:,} there already, {tally.failed:,} skipped; "
        f"{count:,} {kind} in all, {seconds:.1f} s" + (" (stopped; run it again to go on)" if stopped else "")
    )
