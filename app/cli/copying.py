"""`speechclip collections copy`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import typer
from numpy.typing import NDArray

from app.cli.errors import CommandError, sentence
from app.cli.local import open_store
from app.cli.stopping import stoppable
from app.cli.terminal import Advance, progress_bar
from app.settings import Settings
from index import address
from index.backend import Collection, Store
from index.durable.media import SCHEME
from index.errors import CollectionNotFound, InvalidRecord
from index.records import Record

PAGE = 500  # records
MOST_BYTES = 16 * 1024 * 1024  # of a page's vectors
MOST_MEDIA = 64 * 1024 * 1024  # of a batch's files, unless it is one
DONE, INCOMPLETE, STOPPED = 0, 1, 130
"""Exit statuses."""

Stored: TypeAlias = tuple[Record, NDArray[np.float32]]


@dataclass
class _Tally:
    copied: int = 0
    known: int = 0
    refused: int = 0

    @property
    def done(self) -> int:
        return self.copied + self.known + self.refused


def copy(name: str, to: str, settings: Settings) -> int:
    """Copy a collection from the store of the settings to another one. The exit status."""
    places = [address.parse(text, settings.data) for text in (settings.store, to)]
    if places[0] == places[1]:
        raise CommandError(f"the collection is in {to} already")
    with (
        closing(open_store(settings)) as source,
        closing(address.open_store(to, settings.data)) as target,
        source.open(name) as old,
        _opened(target, old) as new,
        stoppable() as stop,
        progress_bar() as advance,
    ):
        tally = _copy(old, new, stop, advance)
        typer.echo(f"{name}: {tally.copied} copied, {tally.known} there already; {new.count} in all at {to}", err=True)
        if tally.done < old.count:
            typer.echo(f"It was stopped after {tally.done} of {old.count}; the same command goes on.", err=True)
            return STOPPED
        if tally.refused:
            typer.echo(f"{tally.refused} were refused there.", err=True)
            return INCOMPLETE
    return DONE


def _opened(target: Store, old: Collection) -> Collection:
    """The same collection over there, made if need be. Raises `ModelMismatch` and `CommandError` for another one."""
    try:
        new = target.open(old.name, old.fingerprint)
    except CollectionNotFound:
        return target.create(old.name, old.kind, old.dim, old.fingerprint, old.media_root)
    if (new.kind, new.dim) != (old.kind, old.dim):
        new.close()
        raise CommandError(f"there is a collection {old.name!r} already, of {new.kind}, not {old.kind}")
    return new


def _copy(old: Collection, new: Collection, stop: threading.Event, advance: Advance) -> _Tally:
    tally = _Tally()
    for ids in _pages(old):
        found = old.fetch(ids)
        missing = _missing(new, found)
        refused = sum(_add(old, new, batch) for batch in _batches(old, missing))
        tally.refused += refused
        tally.copied += len(missing) - refused
        tally.known += len(found) - len(missing)
        advance(f"copying {old.name}", tally.done, old.count)
        if stop.is_set():
            break
    return tally


def _pages(collection: Collection) -> Iterator[Sequence[str]]:
    size = max(1, min(PAGE, MOST_BYTES // (4 * collection.dim)))
    after: str | None = None
    while records := collection.list(size, after):
        yield [record.id for record in records]
        after = records[-1].id


def _batches(old: Collection, items: Sequence[Stored]) -> Iterator[Sequence[Stored]]:
    """Such that the files of one are in memory at once."""
    start, size = 0, 0
    for place, (record, _) in enumerate(items):
        path = old.media(record.uri) if _is_kept(record) else None
        one = path.stat().st_size if path is not None else 0
        if size and size + one > MOST_MEDIA:
            yield items[start:place]
            start, size = place, 0
        size += one
    yield items[start:]


def _missing(new: Collection, found: Mapping[str, Stored]) -> list[Stored]:
    """What is not over there, or otherwise than here."""
    there = new.fetch(list(found))
    return [one for id, one in found.items() if id not in there or not _is_same(new, one, there[id])]


def _is_same(new: Collection, one: Stored, other: Stored) -> bool:
    has_media = not _is_kept(one[0]) or new.media(one[0].uri) is not None
    return one[0] == other[0] and np.array_equal(one[1], other[1]) and has_media


def _add(old: Collection, new: Collection, items: Sequence[Stored]) -> int:
    """One batch; where it is too large for one, its halves. How many records are refused even by themselves."""
    if not items:
        return 0
    try:
        media = dict(_media(old, record) for record, _ in items if _is_kept(record))
        new.put([record for record, _ in items], np.stack([vector for _, vector in items]), media)
    except InvalidRecord as error:
        if len(items) == 1:
            typer.echo(f"Refused: {sentence(error)}", err=True)
            return 1
        middle = len(items) // 2
        return _add(old, new, items[:middle]) + _add(old, new, items[middle:])
    return 0


def _is_kept(record: Record) -> bool:
    return record.uri is not None and record.uri.startswith(SCHEME)


def _media(old: Collection, record: Record) -> tuple[str, bytes]:
    path = old.media(record.uri)
    if path is None:
        raise CommandError(f"the file of {record.id!r} is not here: delete the item, or put the file back")
    return path.name, path.read_bytes()
