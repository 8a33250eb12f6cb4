from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from index.milvus.keys import LONGEST, STATE, id_of, key_of
from index.records import MAX_ID_CHARACTERS

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_ID_CHARACTERS)


@given(ids, ids)
def test_keys_are_in_the_order_of_their_ids(one: str, other: str) -> None:
    assert (key_of(one) < key_of(other)) == (one < other)


@given(ids)
def test_a_key_is_plain_fits_and_leads_back(id: str) -> None:
    key = key_of(id)

    assert set(key) <= set("0123456789abcdef")
    assert len(key) <= LONGEST
    assert key > STATE
    assert id_of(key) == id
