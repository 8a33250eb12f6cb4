"""`/collections/{name}/items`: what is in a collection, one by one and in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request

from app.errors import NotYours
from app.http.hosts import from_own_page
from app.http.patience import while_wanted
from app.keeping.batch_body import Limits, read_items
from app.keeping.cursors import cursor_after, position_of
from app.keeping.storing import digest_of, ids_of, ready_batch
from app.openapi import QUERY_PROBLEMS, batch_request, problem_responses
from app.schemas import CollectionInfo, DeletedItem, Item, ItemsPage, StoredItems
from app.state import Loaded, State, state_of
from index.backend import Collection
from index.durable.batches import Once, Receipt
from index.errors import ItemNotFound
from index.records import Record

MAX_PAGE = 1000
router = APIRouter(tags=["items"])

Name = Annotated[str, Path(description="The collection's.")]
Id = Annotated[str, Path(description="The record's id; it may contain slashes.")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=256,
        pattern=r"^[\x21-\x7e]+$",
        description="The sender's name for the batch: sent again with the same, it is not stored again.",
    ),
]
Vectors = Annotated[list[Literal["vector"]] | None, Query(alias="include", description="What is told beside the rest.")]


@router.post(
    "/collections/{name}/items",
    summary="Store items",
    response_model=StoredItems,
    dependencies=[Depends(from_own_page)],
    responses=problem_responses(QUERY_PROBLEMS),
    openapi_extra=batch_request(),
)
async def store_items(request: Request, name: Name, key: Key = None) -> StoredItems:
    """Embed one item or a batch, and store it durably: wholly, or not at all. Items with ids that are there replace."""
    state = state_of(request)
    loaded = state.loaded()
    with state.batches.hold():
        collection = await _own(state, loaded, name)
        collection.require(loaded.engine.encoder.fingerprint)
        limits = Limits(state.settings.max_items, loaded.engine.encoder.dim)
        items = await read_items(request, limits, state.decoding)
        once = None if key is None else Once(key, await state.decoding.run(digest_of, items))
        receipt = await _stored_already(state, collection, once)
        if receipt is None:
            preparing = ready_batch(state, loaded, collection, items)
            batch = await while_wanted(request, preparing, state.settings.batch_deadline_s)
            # Beyond the deadline's reach: what is being stored is waited for, so that the answer is true.
            put = partial(collection.put, batch.records, batch.vectors, batch.media, once)
            receipt = await state.writing.run(put)
        return _told(name, ids_of(items), receipt)


@router.get("/collections/{name}/items", summary="List items", responses=problem_responses((404, 422, 429, 503)))
async def list_items(
    request: Request,
    name: Name,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many.")] = 100,
    cursor: Annotated[str | None, Query(max_length=4096, description="From the page before.")] = None,
    include: Vectors = None,
) -> ItemsPage:
    """The records in the order of their ids, a page at a time. What changes meanwhile is seen, or not, as it comes."""
    state = state_of(request)
    collection = await state.searching.run(state.loaded().catalogue.get, name)
    after = None if cursor is None else position_of(cursor)
    return await state.searching.run(_page, collection, limit, after, bool(include))


@router.get(
    "/collections/{name}/items/{id:path}", summary="Get one item", responses=problem_responses((404, 422, 429, 503))
)
async def get_item(request: Request, name: Name, id: Id, include: Vectors = None) -> Item:
    """One record; the file behind it is at `/media/{name}/{id}`."""
    state = state_of(request)
    collection = await state.searching.run(state.loaded().catalogue.get, name)
    record = await state.searching.run(collection.get, id)
    return await state.searching.run(_item, collection, record, bool(include))


@router.delete(
    "/collections/{name}/items/{id:path}",
    summary="Delete one item",
    dependencies=[Depends(from_own_page)],
    responses=problem_responses((403, 404, 409, 422, 429, 503)),
)
async def delete_item(request: Request, name: Name, id: Id) -> DeletedItem:
    """Delete a record, durably. The file that was kept for it goes when the collection is compacted."""
    state = state_of(request)
    collection = await _own(state, state.loaded(), name)
    if not await state.writing.run(collection.delete, [id]):
        raise ItemNotFound(f"collection {name!r} has no item {id!r}")
    return DeletedItem(id=id, collection=info(collection))


def info(collection: Collection) -> CollectionInfo:
    return CollectionInfo(name=collection.name, version=collection.version, count=collection.count)


async def _own(state: State, loaded: Loaded, name: str) -> Collection:
    """The collection, unless it is one that the service would make anew over whatever is put into it."""
    # Here, because it brings the image decoder, without which /livez answers sooner.
    from app.demo import is_default

    collection = await state.searching.run(loaded.catalogue.get, name)
    if is_default(collection):
        raise NotYours(
            f"collection {name!r} is one of those that the service makes for itself, and makes anew: put items into a "
            "collection of your own, or delete this one first"
        )
    return collection


async def _stored_already(state: State, collection: Collection, once: Once | None) -> Receipt | None:
    return None if once is None else await state.searching.run(collection.receipt, once)


def _told(name: str, ids: list[str], receipt: Receipt) -> StoredItems:
    """Nothing in it depends on when it is told: a batch that is sent again gets the same answer."""
    collection = CollectionInfo(name=name, version=receipt.version, count=receipt.count)
    return StoredItems(ids=ids, created=receipt.created, replaced=receipt.replaced, collection=collection)


def _page(collection: Collection, limit: int, after: str | None, vectors: bool) -> ItemsPage:
    records = collection.list(limit + 1, after)
    more = len(records) > limit
    cursor = cursor_after(records[limit - 1].id) if more else None
    items = list(_items(collection, records[:limit], vectors))
    return ItemsPage(items=items, cursor=cursor, collection=info(collection))


def _items(collection: Collection, records: Sequence[Record], vectors: bool) -> Iterator[Item]:
    for record in records:
        # One that is deleted between the two is deleted.
        with suppress(ItemNotFound):
            yield _item(collection, record, vectors)


def _item(collection: Collection, record: Record, vectors: bool) -> Item:
    vector = collection.vector(record.id).tolist() if vectors else None
    return Item(id=record.id, uri=record.uri, caption=record.caption, metadata=dict(record.metadata), vector=vector)
