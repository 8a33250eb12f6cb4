"""Random records and filters, in which everything that two readers of JSON may disagree about is frequent."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from index.filters import And, Compare, Contains, Exists, Field, Filter, In, Not, Or
from index.records import Record

TEXTS = [
    *(
        "",
        "a",
        "A",
        "ab",
        "b",
        "a b",
        "é",
        "e\u0301",
        "中",
        "🐕",
        "\uffff",
        "\U00010000",
        "\ufeffa",
        "%",
        "_",
        "null",
        "true",
    ),
    *(
        "1",
        "1.0",
        "0",
        "'",
        '"',
        "\\",
        "\\u0000",
        "a\0b",
        "a\0",
        "\0",
        "\n",
        "\t",
        "\x1f",
        "\x7f",
        "\u2028",
        "--",
        "); DROP",
    ),
]
NUMBERS = [
    *(
        0,
        1,
        -1,
        2,
        0.0,
        -0.0,
        1.0,
        0.1,
        0.1 + 0.2,
        0.3,
        1e-7,
        5e-324,
        2.2250738585072014e-308,
        1e22,
        1e23,
        1.7976931348623157e308,
    ),
    *(
        2**53,
        2**53 + 1,
        float(2**53),
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        float(2**63),
        2**64,
        10**30,
        1e30,
        10**400,
        -(10**400),
    ),
]
KEYS = ["a", "b", "", "é", "a.b", "a]", '"', "\\", "a\0", "\n", "'", "$", "0", "🐕"]

texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
numbers = st.sampled_from(NUMBERS) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | texts | numbers
few_scalars = st.sampled_from([None, True, False, "a", "1", 0, 1, 1.0, 0.1, 2**63])
values = st.recursive(
    few_scalars | scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
)
records = st.builds(
    Record,
    id=texts.filter(bool),
    uri=st.none() | texts,
    caption=st.none() | texts,
    metadata=st.dictionaries(st.sampled_from(KEYS), values, max_size=4),
)
fields = st.sampled_from([Field("id"), Field("uri"), Field("caption")]) | st.builds(
    lambda keys: Field("metadata", tuple(keys)), st.lists(st.sampled_from(KEYS), min_size=1, max_size=2)
)
conditions: st.SearchStrategy[Any] = st.one_of(
    st.builds(In, fields, st.lists(few_scalars | scalars, max_size=4).map(tuple)),
    st.builds(
        Compare,
        fields,
        st.sampled_from(["lt", "lte", "gt", "gte"]),
        st.sampled_from([0, 1, 0.1, "a"]) | texts | numbers,
    ),
    st.builds(Exists, fields),
    st.builds(Contains, fields, few_scalars | scalars),
)


def _combined(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(inner, max_size=3).map(tuple)
    return st.builds(And, several) | st.builds(Or, several) | st.builds(Not, inner)


filters: st.SearchStrategy[Filter] = st.recursive(conditions, _combined, max_leaves=5)
