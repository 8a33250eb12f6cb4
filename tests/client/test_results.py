"""Results know all that the service tells, and nothing that it does not."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from app import schemas
from app.stream import messages
from speechclip_client import results

PAIRS: list[tuple[type[BaseModel], type[BaseModel]]] = [
    (results.WeightedInfo, schemas.WeightedInfo),
    (results.QueryInfo, schemas.QueryInfo),
    (results.Model, schemas.ModelInfo),
    (results.CollectionState, schemas.CollectionInfo),
    (results.Timings, schemas.Timings),
    (results.Result, schemas.Result),
    (results.Found, schemas.SearchResponse),
    (results.Keyword, schemas.Keyword),
    (results.SlotWord, schemas.SlotWord),
    (results.SpokenWord, schemas.SpokenWord),
    (results.Subword, schemas.SlotSubword),
    (results.Slot, schemas.Slot),
    (results.FoundKeywords, schemas.KeywordsResponse),
    (results.Embedding, schemas.EmbedResponse),
    (results.Collection, schemas.CollectionDetails),
    (results.Collections, schemas.CollectionsResponse),
    (results.Item, schemas.Item),
    (results.ItemsPage, schemas.ItemsPage),
    (results.Stored, schemas.StoredItems),
    (results.Snapshot, schemas.SnapshotDetails),
    (results.KeptSnapshot, schemas.NewSnapshot),
    (results.Snapshots, schemas.SnapshotsResponse),
    (results.FullModel, schemas.FullModelInfo),
    (results.Limits, schemas.Limits),
    (results.Info, schemas.InfoResponse),
    (results.LiveKeywords, messages.LiveKeywords),
    (results.Span, messages.Span),
    (results.Interim, messages.Interim),
    (results.Final, messages.Final),
]


@pytest.mark.parametrize(("here", "there"), PAIRS, ids=lambda shape: shape.__name__)
def test_the_fields_are_those_of_the_service(here: type[BaseModel], there: type[BaseModel]) -> None:
    # What kind of a message it is, its class says.
    assert here.model_fields.keys() == there.model_fields.keys() - {"type"}


def test_what_was_heard_is_the_words_of_all_known_slots() -> None:
    def slot(number: int, known: bool, *words: str) -> results.Slot:
        said = tuple(results.SlotWord(word=word, score=0.5) for word in words)
        return results.Slot(slot=number, start=0.0, end=0.1, known=known, subwords=(), words=said)

    slots = (slot(0, False, "lungs"), slot(1, True, "dog", "log"), slot(2, True, "dog"))
    found = results.FoundKeywords.model_construct(None, slots=slots)  # type: ignore[call-arg]  # whatever else it has

    assert [(one.slot, one.word) for one in found.heard] == [(1, "dog"), (1, "log"), (2, "dog")]


def test_no_result_is_left_out() -> None:
    shapes = {one for one in vars(results).values() if isinstance(one, type) and issubclass(one, BaseModel)}

    ours = {shape for shape in shapes if shape.__module__ == results.__name__ and not shape.__name__.startswith("_")}

    assert ours == {one for one, _ in PAIRS}
