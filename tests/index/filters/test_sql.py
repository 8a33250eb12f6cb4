"""What SQLite answers is what `matches` says, record by record, whatever is in the records and in the filter."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from index.durable.table import Table
from index.errors import CollectionDamaged
from index.filters import And, Compare, Contains, Field, Filter, In, Not, Or, matches
from index.filters.language import parse
from index.filters.matching import scan
from index.filters.sql import condition
from index.records import Record
from tests.index.filter_strategies import NUMBERS, TEXTS, filters, records

MANY = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
VECTOR = np.array([1, 0], np.float32)


def table_of(folder: Path, some: list[Record]) -> Table:
    (folder / "records.sqlite").unlink(missing_ok=True)
    Table.create(folder)
    table = Table(folder, dim=2)
    table.put(some, np.stack([VECTOR] * len(some)))
    table.commit()
    return table


def found(table: Table, filter: Filter, some: list[Record]) -> list[Record]:
    return [some[row] for row in table.matching(filter)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table")


@MANY
@given(
    some=st.lists(records, min_size=4, max_size=12, unique_by=lambda record: record.id),
    asked=st.lists(filters, min_size=4, max_size=12),
)
def test_the_rows_are_those_that_match(folder: Path, some: list[Record], asked: list[Filter]) -> None:
    with closing(table_of(folder, some)) as table:
        for filter in asked:
            assert found(table, filter, some) == [record for record in some if matches(filter, record)]


@pytest.fixture(scope="module")
def scalars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Table, list[Record]]]:
    """One record for each scalar that is hard to compare, alone and in a list, and one without any."""
    values: list[JsonValue] = [*TEXTS, *NUMBERS, None, True, False, [], {}]
    some = [Record(str(place), metadata={"v": value, "l": [value]}) for place, value in enumerate(values)]
    some.append(Record("none"))
    with closing(table_of(tmp_path_factory.mktemp("table"), some)) as table:
        yield table, some


@pytest.mark.parametrize("operand", [*TEXTS, *NUMBERS, None, True, False], ids=repr)
def test_every_hard_scalar_beside_every_other(scalars: tuple[Table, list[Record]], operand: str | float | None) -> None:
    table, some = scalars
    asked: list[Filter] = [In(Field("metadata", ("v",)), (operand,)), Contains(Field("metadata", ("l",)), operand)]
    if isinstance(operand, str | int | float) and not isinstance(operand, bool):
        asked += [Compare(Field("metadata", ("v",)), order, operand) for order in ("lt", "lte", "gt", "gte")]
    for filter in [*asked, *map(Not, asked), Or(tuple(asked)), And(tuple(asked))]:
        assert found(table, filter, some) == [record for record in some if matches(filter, record)]


@pytest.mark.parametrize(
    "filter",
    [
        {"metadata.n": {"gte": 3, "lt": 5.5}},
        {"metadata.x": {"lt": 0.7}},
        {"metadata.x": {"ne": 0.12345}},
        {"metadata.colour": {"in": ["red", "blue"]}},
        {"metadata.tags": {"contains": "b"}},
        {"metadata.deep.key": {"eq": True}},
        {"or": [{"caption": {"contains": "dog"}}, {"not": {"metadata.colour": {"exists": True}}}]},
    ],
)
def test_sqlite_alone_decides_about_what_is_ordinary(tmp_path: Path, filter: JsonValue) -> None:
    colours = ["red", "green", "blue"]
    some = [
        Record(
            str(n),
            None,
            f"dog {n}",
            {"n": n, "x": n / 7, "colour": colours[n % 3], "tags": ["a", "b"], "deep": {"key": n > 4}},
        )
        for n in range(10)
    ]
    with closing(table_of(tmp_path, some)), closing(sqlite3.connect(tmp_path / "records.sqlite")) as connection:
        result = scan(connection, parse(filter))

    assert [some[row] for row in result.true] == [one for one in some if matches(parse(filter), one)]
    assert len(result.unsure) == 0


@MANY
@given(number=st.floats(allow_nan=False, allow_infinity=False), beside=st.integers(-3, 3), far=st.floats(-1e9, 1e9))
def test_numbers_that_are_nearly_equal(folder: Path, number: float, beside: int, far: float) -> None:
    near = number
    for _ in range(abs(beside)):
        near = math.nextafter(near, math.inf if beside > 0 else -math.inf)
    some = [Record(str(n), metadata={"x": x}) for n, x in enumerate([number, near, far, 0.0, -0.0, 5e-324])]
    some = [one for one in some if math.isfinite(one.metadata["x"])]  # type: ignore[arg-type]
    with closing(table_of(folder, some)) as table:
        for values in [(number,), (near, far), (far, -number, 1.5), (0, number)]:
            asked = In(Field("metadata", ("x",)), values)
            assert found(table, asked, some) == [record for record in some if matches(asked, record)]


def test_of_many_decimal_numbers_only_those_that_may_be_meant_are_left_to_python(tmp_path: Path) -> None:
    some = [Record(str(n), metadata={"x": n + 0.5}) for n in range(2_000)]
    asked = In(Field("metadata", ("x",)), tuple(3 * n + 0.5 for n in range(0, 1_000, 10)))
    with closing(table_of(tmp_path, some)), closing(sqlite3.connect(tmp_path / "records.sqlite")) as connection:
        result = scan(connection, asked)

    assert [some[row] for row in result.unsure] == [one for one in some if matches(asked, one)]
    assert len(result.true) == 0


def test_what_a_caller_gave_is_in_the_parameters_alone() -> None:
    filter = parse({"metadata.secret'key": {"in": ["secret'value", 12345, 0.5]}, "caption": {"contains": "secret"}})

    sql, parameters = condition(filter)

    assert "secret" not in sql
    assert "12345" not in sql
    assert {'$."secret\'key"', "secret'value", 12345, 0.5, "secret"} <= set(parameters)


def test_the_largest_filter_there_may_be_is_answered(tmp_path: Path) -> None:
    some = [Record("a", metadata={"n": 999}), Record("b", metadata={"n": -1})]
    deep: JsonValue = {"metadata.n": {"in": [*range(500), *map(str, range(499)), 999]}}
    no_x: list[JsonValue] = [{"metadata.x": {"exists": False}}] * 5
    for _ in range(9):
        deep = {"and": [deep, *no_x]}
    with closing(table_of(tmp_path, some)) as table:
        assert found(table, parse(deep), some) == [some[0]]


def test_filters_that_look_alike_have_answers_of_their_own(tmp_path: Path) -> None:
    some = [Record("a", metadata={'"': 1, "n": 1}), Record("b", metadata={'"': 2, "n": True})]
    quoted, n = Field("metadata", ('"',)), Field("metadata", ("n",))
    alike: list[Filter] = [
        In(quoted, (1,)),
        Not(In(quoted, (1,))),
        Compare(quoted, "gt", 1),
        In(n, (1,)),
        In(n, (True,)),
        In(n, (1.0,)),
    ]
    with closing(table_of(tmp_path, some)) as table:
        assert [table.matching(filter).tolist() for filter in alike] == [[0], [1], [1], [0], [1], [0]]


def test_an_answer_is_of_the_newest_records(tmp_path: Path) -> None:
    filter = parse({"metadata.n": {"gte": 1}})
    with closing(table_of(tmp_path, [Record("a", metadata={"n": 0}), Record("b", metadata={"n": 1})])) as table:
        assert table.matching(filter).tolist() == [1]
        table.put([Record("a", metadata={"n": 2})], VECTOR[None])
        assert table.matching(filter).tolist() == [1]  # not before it is committed
        table.commit()
        assert table.matching(filter).tolist() == [0, 1]
        table.put([Record("a", metadata={"n": 0}), Record("c", metadata={"n": 5})], np.stack([VECTOR, VECTOR]))
        table.commit()
        assert table.matching(filter).tolist() == [1, 2]


def test_a_row_that_is_used_again_is_looked_at_again(tmp_path: Path) -> None:
    filter = parse({"metadata.n": {"gte": 1}})
    with closing(table_of(tmp_path, [Record("a"), Record("b", metadata={"n": 1})])) as table:
        assert table.matching(filter).tolist() == [1]
        table.remove(["b"])
        table.commit()
        table.matching(filter)
        table.put([Record("c", metadata={"n": 0})], VECTOR[None])
        table.commit()
        assert table.matching(filter).tolist() == []


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    batches=st.lists(st.lists(records, min_size=1, max_size=4, unique_by=lambda record: record.id), max_size=6),
    asked=st.lists(filters, min_size=1, max_size=5),
)
def test_what_was_kept_is_brought_up_to_date(folder: Path, batches: list[list[Record]], asked: list[Filter]) -> None:
    """Asked between changes, or only after all of them: the answers are the same."""
    with closing(table_of(folder, [Record("first")])) as table:
        for batch in batches:
            table.put(batch, np.stack([VECTOR] * len(batch)))
            table.commit()
            if len(batch) % 2:
                table.remove([batch[0].id])
                table.commit()
            for filter in asked:
                expected = {row for row, record in everything(table).items() if matches(filter, record)}
                assert set(table.matching(filter).tolist()) == expected


def everything(table: Table) -> dict[int, Record]:
    rows = [row for some, _ in table.chunks() for row in some.tolist()]
    return {number: row.record for number, row in table.fetch(rows).items()}


def test_damaged_metadata_is_told(tmp_path: Path) -> None:
    with closing(table_of(tmp_path, [Record("a", metadata={"n": 0})])) as table:
        with closing(sqlite3.connect(tmp_path / "records.sqlite")) as connection:
            connection.execute("UPDATE records SET metadata = '{\"n\":'")
            connection.commit()
        with pytest.raises(CollectionDamaged):
            table.matching(parse({"metadata.n": {"eq": 1}}))
