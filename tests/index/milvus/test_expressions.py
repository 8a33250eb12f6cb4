from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from index.address import File
from index.filters import Filter, matches
from index.filters.language import parse
from index.milvus.connection import Connection
from index.milvus.expressions import MOST_EQUAL, NOTHING, expression
from index.milvus.keys import key_of
from index.milvus.manifest import Manifest, physical
from index.milvus.rows import row_of
from index.records import Record
from tests.index.filter_strategies import filters, records
from tests.index.milvus.limits import fits


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    connection = Connection(File(tmp_path_factory.mktemp("milvus") / "store.db"))
    yield connection
    connection.close()


@given(
    held=st.lists(records.filter(fits), min_size=20, max_size=40, unique_by=lambda record: record.id),
    asked=st.lists(filters, min_size=40, max_size=40),
)
@settings(
    max_examples=2, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck], phases=[Phase.generate]
)
def test_an_expression_is_true_wherever_its_filter_is(
    connection: Connection, held: list[Record], asked: list[Filter]
) -> None:
    manifest = Manifest(name="all", kind="images", dim=4, fingerprint="model")
    manifest.create(connection)
    try:
        rows = [row_of(record, [1.0, 0.0, 0.0, 0.0], manifest.vector_field) for record in held]
        connection.call("upsert", physical("all"), rows)
        for condition in asked:
            if (text := expression(condition)) is not None:
                found = connection.call("query", physical("all"), filter=text, output_fields=["key"], limit=100)
                true = {key_of(record.id) for record in held if matches(condition, record)}
                assert true <= {row["key"] for row in found}, (text, condition)
    finally:
        connection.call("drop_collection", physical("all"))


@pytest.mark.parametrize(
    ("filter", "text"),
    [
        ({"metadata.colour": {"eq": "red"}}, '(metadata["colour"] == "red")'),
        (
            {"metadata.a.b": {"in": [1, 2.5, True]}},
            " or ".join(f'(metadata["a"]["b"] == {x})' for x in (1, 2.5, "true")),
        ),
        ({"metadata.price": {"gte": 10, "lt": 20.5}}, '(metadata["price"] >= 10) and (metadata["price"] < 20.5)'),
        ({"caption": {"contains": 'a "dog"'}}, 'caption like "%a \\"dog\\"%"'),
        ({"metadata.tags": {"contains": "x"}}, '(metadata["tags"] like "%x%") or json_contains(metadata["tags"], "x")'),
        ({"uri": {"in": ["a", "b"]}}, 'uri in ["a", "b"]'),
        ({"id": {"eq": "a"}}, 'key in ["61"]'),
        ({"id": {"gt": "a"}}, 'key > "61"'),
        ({"or": []}, NOTHING),
        ({"uri": {"in": []}}, NOTHING),
        ({"and": []}, None),
    ],
)
def test_what_milvus_surely_knows_is_translated(filter: JsonValue, text: str | None) -> None:
    assert expression(parse(filter)) == text


@pytest.mark.parametrize(
    "filter",
    [
        {"metadata.a": {"ne": 1}},
        {"not": {"metadata.a": {"eq": 1}}},
        {"metadata.a": {"exists": True}},
        {"metadata.a": {"eq": None}},
        {"metadata.a": {"eq": 2**53}},
        {"metadata.a": {"lt": 1e-9}},
        {"metadata.a": {"in": list(range(MOST_EQUAL + 1))}},
        {"metadata.a": {"eq": "two\nlines"}},
        {'metadata."': {"eq": 1}},
        {"metadata.a\\.b": {"eq": 1}},
        {"caption": {"contains": "100 %"}},
        {"metadata.tags": {"contains": 1}},
    ],
)
def test_everything_else_is_left_to_the_last_word(filter: dict[str, JsonValue]) -> None:
    assert expression(parse(filter)) is None
    assert expression(parse({"or": [filter, {"id": {"eq": "a"}}]})) is None
    assert expression(parse({"and": [filter, {"id": {"eq": "a"}}]})) == '(key in ["61"])'


@pytest.mark.parametrize("text", ['" or key != "', "' or 1 == 1", "\\", '\\" or true or "'])
def test_no_text_gets_out_of_its_quotes(connection: Connection, text: str) -> None:
    manifest = Manifest(name="quoted", kind="images", dim=4, fingerprint="model")
    manifest.create(connection)
    try:
        row = row_of(Record("other", caption="other"), [1.0, 0.0, 0.0, 0.0], manifest.vector_field)
        connection.call("upsert", physical("quoted"), [row])
        for field in ("id", "caption", "metadata.a"):
            condition = expression(parse({field: {"eq": text}})) or ""
            assert not connection.call("query", physical("quoted"), filter=condition, output_fields=["key"], limit=9)
    finally:
        connection.call("drop_collection", physical("quoted"))
