"""The pure function of a batch: items in, records with their vectors out. Every engine runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from app.bulk.ahead import ahead
from app.bulk.decoding import Budget, Decoder, Ready
from app.bulk.items import Bad, Item
from index.manifest import Kind
from index.records import Record
from models.cores import cores
from models.protocol import Encoder

BATCH: Mapping[Kind, int] = {"images": 32, "audio": 8, "captions": 64, "keywords": 64}
VECTOR_BATCH = 1024  # where nothing has to be embedded
"""Items that are embedded, and made durable, together."""


@dataclass(frozen=True)
class Embedded:
    """Records with their vectors (N, E), of items that weigh `weight`; and what of the batch became none."""

    records: Sequence[Record]
    vectors: NDArray[np.float32]
    weight: float
    bad: Sequence[Bad]


def embed(batch: Sequence[Ready], bad: Sequence[Bad], kind: Kind, encoder: Encoder) -> Embedded:
    """A batch, all of whose items are of one kind, and with it what could not be made ready."""
    records, weight = [ready.item.record for ready in batch], sum(ready.item.weight for ready in batch)
    return Embedded(records, _vectors(batch, kind, encoder), weight, bad)


def embed_items(items: Sequence[Item], kind: Kind, encoder: Encoder, max_seconds: float) -> Embedded:
    """The same from the beginning: a pure function, for a process that does nothing beside it."""
    with ahead(items, Decoder(kind, encoder, max_seconds, Budget()), cores(), len(items)) as results:
        outcomes = list(results)
    ready = [one for one in outcomes if isinstance(one, Ready)]
    return embed(ready, [one for one in outcomes if isinstance(one, Bad)], kind, encoder)


def _vectors(batch: Sequence[Ready], kind: Kind, encoder: Encoder) -> NDArray[np.float32]:
    # What the payloads of a kind are is settled by who made them ready.
    payloads = cast(Any, [ready.payload for ready in batch])
    if not batch:
        return np.empty((0, encoder.dim), np.float32)
    if isinstance(batch[0].item.content, np.ndarray):
        return np.stack(payloads)
    if kind == "images":
        return encoder.embed_images(payloads)
    return encoder.embed_speech(payloads).vectors if kind == "audio" else encoder.embed_texts(payloads)
