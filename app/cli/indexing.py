"""`speechclip index`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from PIL.Image import Image

from app.cli.errors import CommandError
from app.cli.local import load_model, open_store
from app.cli.sources import Found, Skip, find, image_records, text_records
from app.cli.terminal import plain, print_json, progress_bar
from app.demo import is_default
from app.settings import Settings
from index.collection import Collection
from index.errors import CollectionNotFound, ItemNotFound
from index.manifest import Kind
from index.records import Record
from models.errors import ImageError
from models.images import decode_image

if TYPE_CHECKING:
    from models.encoder import Encoder

# Decoded images are large, and a batch of them is held at one time.
IMAGE_BATCH, TEXT_BATCH = 8, 64
MAX_IMAGE_FILE = 256 * 1024 * 1024  # bytes

Item = tuple[Record, Path | None]
"""A record, and the image that it is of; a text has none."""


@dataclass
class Report:
    """What one run did."""

    collection: str
    kind: Kind
    added: int = 0
    known: int = 0
    skipped: list[dict[str, str]] = field(default_factory=list)
    count: int = 0
    seconds: float = 0.0

    def skip(self, source: str, reason: str) -> None:
        self.skipped.append({"source": plain(source), "reason": plain(reason)})


def index(name: str, sources: Sequence[Path], kind: Kind | None, settings: Settings, as_json: bool) -> bool:
    """Index the sources and print what was done. Whether everything could be used."""
    started_at = time.perf_counter()
    found = find(sources)
    report = Report(name, _kind(found, kind))
    with ExitStack() as stack:
        store = open_store(settings)
        try:
            collection: Collection | None = stack.enter_context(store.open(name))
        except CollectionNotFound:
            collection = None
        root = _root(collection, report.kind, found)
        items = _items(found, root, report.skip)
        encoder = load_model(settings)
        if collection is None:
            new = store.create(name, report.kind, encoder.dim, encoder.fingerprint, root)
            collection = stack.enter_context(new)
        collection.require(encoder.fingerprint)
        _add(collection, items, encoder, report)
        report.count = collection.count
    report.seconds = round(time.perf_counter() - started_at, 2)
    _print(report, as_json)
    return not report.skipped


def _kind(found: Found, wanted: Kind | None) -> Kind:
    if found.images and wanted not in (None, "images"):
        raise CommandError(f"images cannot be indexed as {wanted}")
    if found.texts and wanted == "images":
        raise CommandError("texts cannot be indexed as images: choose --kind captions or --kind keywords")
    return "images" if found.images else wanted or "captions"


def _root(collection: Collection | None, kind: Kind, found: Found) -> Path | None:
    """The folder that ids and uris are relative to; an existing collection has one already."""
    if collection is None:
        return found.root if found.images else None
    if is_default(collection):
        raise CommandError(
            f"collection {collection.name!r} is one of those that the service makes for itself: choose another name, "
            "or delete it first"
        )
    if collection.kind != kind:
        raise CommandError(f"collection {collection.name!r} holds {collection.kind}, these are {kind}")
    root = collection.media_root
    if found.images and (root is None or not found.root.is_relative_to(root)):
        raise CommandError(
            f"collection {collection.name!r} has its files below {root or 'no folder'}, and {found.root} is not there"
        )
    return root


def _items(found: Found, root: Path | None, skip: Skip) -> list[Item]:
    if root is not None and found.images:
        return list(image_records(found.images, root, skip))
    return [(record, None) for record in text_records(found.texts, skip)]


def _add(collection: Collection, items: Sequence[Item], encoder: Encoder, report: Report) -> None:
    done, size = 0, IMAGE_BATCH if report.kind == "images" else TEXT_BATCH
    with progress_bar() as advance:
        for batch in _batches(items, size):
            advance(f"indexing {collection.name}", done, len(items))
            new = [item for item in batch if not _is_known(collection, item[0])]
            report.known += len(batch) - len(new)
            report.added += _add_batch(collection, new, encoder, report.skip)
            done += len(batch)


def _add_batch(collection: Collection, items: Sequence[Item], encoder: Encoder, skip: Skip) -> int:
    texts = [record for record, path in items if path is None]
    if texts:
        collection.add(texts, encoder.embed_texts([record.caption or "" for record in texts]))
    images = list(_loaded(items, skip))
    if images:
        collection.add([record for record, _ in images], encoder.embed_images([image for _, image in images]))
    return len(texts) + len(images)


def _loaded(items: Iterable[Item], skip: Skip) -> Iterator[tuple[Record, Image]]:
    for record, path in items:
        if path is not None:
            try:
                with path.open("rb") as file:
                    data = file.read(MAX_IMAGE_FILE + 1)
                if len(data) > MAX_IMAGE_FILE:
                    skip(record.id, f"it is larger than {MAX_IMAGE_FILE} bytes")
                    continue
                yield record, decode_image(data)[0]
            except ImageError as error:
                skip(record.id, str(error))
            except OSError as error:
                skip(record.id, error.strerror or str(error))


def _is_known(collection: Collection, record: Record) -> bool:
    try:
        return collection.get(record.id) == record
    except ItemNotFound:
        return False


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def _print(report: Report, as_json: bool) -> None:
    for one in report.skipped:
        typer.echo(f"skipped {one['source']}: {one['reason']}", err=True)
    if as_json:
        print_json(asdict(report))
        return
    typer.echo(
        f"{report.collection}: {report.added} added, {report.known} there already, {len(report.skipped)} skipped; "
        f"{report.count} {report.kind} in all, {report.seconds:.1f} s"
    )
