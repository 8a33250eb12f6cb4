"""Make the default collections at the first start, and again when another model is used."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from index.backend import Collection, Store
from index.errors import CollectionError
from index.manifest import Kind
from index.records import Record
from models.images import decode_image
from models.protocol import Encoder

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
DRAWINGS = FOLDER / "drawings"
BATCH = 64
DRAWN_WEIGHT = 1.0
"""Of what a text names, against the text itself; measured on the words of a synthetic voice that nano never heard."""
DEFAULTS: tuple[Kind, ...] = ("images", "captions", "keywords")

Progress = Callable[[str, int, int], None]
"""(step, done, total)"""


@dataclass(frozen=True)
class Drawing:
    """One line of `lexicon.json`."""

    id: str
    symbol: str
    name: str
    keywords: Sequence[str]


@dataclass(frozen=True)
class _Plan:
    """A default collection: its records, and what makes their vectors."""

    kind: Kind
    records: Sequence[Record]
    embed: Callable[[Sequence[Record]], NDArray[np.float32]]


def lexicon() -> list[Drawing]:
    return [Drawing(**entry) for entry in json.loads((FOLDER / "lexicon.json").read_text(encoding="utf-8"))]


def is_default(collection: Collection) -> bool:
    """Whether it was made here, by this installation or by one in another place, and may be made anew."""
    root = collection.media_root
    return collection.name in DEFAULTS and root is not None and root.parts[-3:] == DRAWINGS.parts[-3:]


def prepare_collections(store: Store, encoder: Encoder, progress: Progress, names: Container[str] = DEFAULTS) -> None:
    """Create or complete the default collections of these names.

    One that was cut off goes on where it stopped, and records that the lexicon has changed are made again. One whose
    vectors were made by another model, or whose drawings have moved, is made anew; a collection of the same name with
    other contents is left alone. One that cannot be used is logged, and keeps none of the others from being made.
    """
    drawings = lexicon()
    plans = (_images(drawings, encoder), _captions(drawings, encoder), _keywords(drawings, encoder, store))
    for plan in plans:
        if plan.kind in names:
            try:
                _prepare(store, plan, encoder, progress)
            except CollectionError as error:
                logger.error("default collection cannot be made ready: %s", error)


def _prepare(store: Store, plan: _Plan, encoder: Encoder, progress: Progress) -> None:
    if plan.kind in store.names():
        with store.open(plan.kind) as found:
            if not is_default(found):
                return
            if found.fingerprint == encoder.fingerprint and found.media_root == DRAWINGS:
                _complete(found, plan, progress)
                return
        logger.info("default collection %s was made by another model or has moved: it is made anew", plan.kind)
        store.delete(plan.kind)
    with store.create(plan.kind, plan.kind, encoder.dim, encoder.fingerprint, DRAWINGS) as new:
        _complete(new, plan, progress)


def _complete(collection: Collection, plan: _Plan, progress: Progress) -> None:
    known = {record.id: record for record in collection.list(collection.count)} if collection.count else {}
    missing = [record for record in plan.records if known.get(record.id) != record]
    if gone := sorted(known.keys() - {record.id for record in plan.records}):
        collection.delete(gone)
    done = len(plan.records) - len(missing)
    for start in range(0, len(missing), BATCH):
        progress(f"indexing {plan.kind}", done + start, len(plan.records))
        batch = missing[start : start + BATCH]
        collection.add(batch, plan.embed(batch))
    progress(f"indexing {plan.kind}", len(plan.records), len(plan.records))


def _images(drawings: Sequence[Drawing], encoder: Encoder) -> _Plan:
    return _Plan(
        "images", image_records(drawings), lambda batch: encoder.embed_images([image(record.id) for record in batch])
    )


def image_records(drawings: Sequence[Drawing]) -> Sequence[Record]:
    """What the default collection of images holds."""
    return [Record(d.id, f"{d.id}.webp", d.name, {"emoji": d.symbol, "keywords": list(d.keywords)}) for d in drawings]


def _captions(drawings: Sequence[Drawing], encoder: Encoder) -> _Plan:
    records = [Record(d.id, f"{d.id}.webp", d.name, {"emoji": d.symbol}) for d in drawings]
    return _Plan("captions", records, lambda batch: encoder.embed_texts([record.caption or "" for record in batch]))


def _keywords(drawings: Sequence[Drawing], encoder: Encoder, store: Store) -> _Plan:
    named: dict[str, list[str]] = {}
    for drawing in drawings:
        for phrase in dict.fromkeys((drawing.name, *drawing.keywords)):
            named.setdefault(phrase, []).append(drawing.id)
    return _Plan("keywords", [Record(phrase, None, phrase) for phrase in sorted(named)], _Named(encoder, named, store))


class _Named:
    """Embeds keywords together with the drawings that they name.

    Speech is trained on images first, and a small CLIP's texts lie apart from its images: by their texts alone, spoken
    words find the right keywords less often.
    """

    def __init__(self, encoder: Encoder, named: Mapping[str, Sequence[str]], store: Store) -> None:
        self._encoder, self._named, self._store = encoder, named, store

    def __call__(self, batch: Sequence[Record]) -> NDArray[np.float32]:
        texts = self._encoder.embed_texts([record.id for record in batch])
        drawn = np.stack([self._drawn[self._rows(record.id)].mean(axis=0) for record in batch])
        return _unit(texts + DRAWN_WEIGHT * _unit(drawn))

    @cached_property
    def _drawn(self) -> NDArray[np.float32]:
        # A large model takes a second for each drawing: what the images have is not made again.
        if (stored := self._stored()) is not None:
            return stored
        parts = [self._ids[start : start + BATCH] for start in range(0, len(self._ids), BATCH)]
        return np.concatenate([self._encoder.embed_images([image(id) for id in part]) for part in parts])

    def _stored(self) -> NDArray[np.float32] | None:
        """The vectors of the default images; None unless all are there, and can be had."""
        try:
            with self._store.open("images", self._encoder.fingerprint) as images:
                if not is_default(images) or images.media_root != DRAWINGS:
                    return None
                return np.stack([images.vector(id) for id in self._ids])
        except CollectionError:
            return None

    @cached_property
    def _ids(self) -> list[str]:
        return sorted({id for ids in self._named.values() for id in ids})

    @cached_property
    def _row_of(self) -> Mapping[str, int]:
        return {id: row for row, id in enumerate(self._ids)}

    def _rows(self, text: str) -> list[int]:
        return [self._row_of[id] for id in self._named[text]]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def image(id: str) -> Image:
    """The drawing with this id."""
    return decode_image((DRAWINGS / f"{id}.webp").read_bytes())[0]
