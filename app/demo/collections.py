"""Make the default collections at the first start, and again when another model is used."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from index.collection import Collection
from index.manifest import Kind
from index.records import Record
from index.store import Store

if TYPE_CHECKING:
    # Not at run time: the module brings torch.
    from models.encoder import Encoder

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
DRAWINGS = FOLDER / "drawings"
BATCH = 64

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


def prepare_collections(store: Store, encoder: Encoder, progress: Progress) -> None:
    """Create or complete the collections `images`, `captions` and `keywords`.

    A start that was cut off goes on where it stopped. A default collection whose vectors were made by another model,
    or whose drawings have moved, is made anew; a collection of the same name with other contents is left alone.
    """
    drawings = lexicon()
    plans = [_images(drawings, encoder), _captions(drawings, encoder), _keywords(drawings, encoder)]
    for plan in plans:
        with_collection = _open(store, plan.kind, encoder)
        if with_collection is not None:
            with with_collection as collection:
                _complete(collection, plan, progress)


def _open(store: Store, kind: Kind, encoder: Encoder) -> Collection | None:
    if kind in store.names():
        collection = store.open(kind)
        if collection.media_root is None or collection.media_root.parts[-2:] != DRAWINGS.parts[-2:]:
            collection.close()
            return None
        if collection.fingerprint == encoder.fingerprint and collection.media_root == DRAWINGS:
            return collection
        logger.info("collection %s was made by another model or moved: it is made anew", kind)
        collection.close()
        store.delete(kind)
    return store.create(kind, kind, encoder.dim, encoder.fingerprint, DRAWINGS)


def _complete(collection: Collection, plan: _Plan, progress: Progress) -> None:
    known = {record.id for record in collection.list(len(plan.records))} if collection.count else set()
    missing = [record for record in plan.records if record.id not in known]
    done = len(plan.records) - len(missing)
    for start in range(0, len(missing), BATCH):
        progress(f"indexing {plan.kind}", done + start, len(plan.records))
        batch = missing[start : start + BATCH]
        collection.add(batch, plan.embed(batch))
    progress(f"indexing {plan.kind}", len(plan.records), len(plan.records))


def _images(drawings: Sequence[Drawing], encoder: Encoder) -> _Plan:
    records = [
        Record(d.id, f"{d.id}.webp", d.name, {"emoji": d.symbol, "keywords": list(d.keywords)}) for d in drawings
    ]
    return _Plan("images", records, lambda batch: encoder.embed_images([_load(record) for record in batch]))


def _captions(drawings: Sequence[Drawing], encoder: Encoder) -> _Plan:
    records = [Record(d.id, f"{d.id}.webp", d.name, {"emoji": d.symbol}) for d in drawings]
    return _Plan("captions", records, lambda batch: encoder.embed_texts([record.caption or "" for record in batch]))


def _keywords(drawings: Sequence[Drawing], encoder: Encoder) -> _Plan:
    phrases = sorted({phrase for d in drawings for phrase in (d.name, *d.keywords)})
    records = [Record(phrase, None, phrase) for phrase in phrases]
    return _Plan("keywords", records, lambda batch: encoder.embed_texts([record.id for record in batch]))


def _load(record: Record) -> Image.Image:
    with Image.open(DRAWINGS / str(record.uri)) as image:
        return image.convert("RGBA")
