"""The engine of one machine: threads decode and resize while the model embeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from app.bulk.ahead import ahead
from app.bulk.decoding import Budget, Decoder, Ready
from app.bulk.embedding import Embedded, embed
from app.bulk.items import Bad, Item
from index.manifest import Kind
from models.cores import cores
from models.protocol import Encoder

BATCHES_AHEAD = 2


@contextmanager
def embedded(
    items: Iterable[Item], kind: Kind, encoder: Encoder, max_seconds: float, size: int
) -> Iterator[Iterator[Embedded]]:
    """The items in batches of `size`, in their order; the last may be smaller. All threads have ended with the context.

    The model is used by the thread that iterates, and by no other.
    """
    decoder = Decoder(kind, encoder, max_seconds, Budget())
    with ahead(items, decoder, cores(), BATCHES_AHEAD * size) as results:
        yield _batches(results, kind, encoder, size)


def _batches(results: Iterable[Ready | Bad], kind: Kind, encoder: Encoder, size: int) -> Iterator[Embedded]:
    ready, failed = list[Ready](), list[Bad]()
    for one in results:
        if isinstance(one, Bad):
            failed.append(one)
        else:
            ready.append(one)
        if len(ready) + len(failed) == size:
            yield embed(ready, failed, kind, encoder)
            ready, failed = [], []
    if ready or failed:
        yield embed(ready, failed, kind, encoder)
