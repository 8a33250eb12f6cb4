"""Nothing is collected while the service starts; afterwards it is again."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from app import collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_it_rests_meanwhile() -> None:
    with collector.uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_it_comes_back_whatever_happens() -> None:
    with pytest.raises(ZeroDivisionError), collector.uncollected():
        divmod(1, 0)
    assert gc.isenabled()


def test_who_never_paused_it_notices_nothing() -> None:
    before = gc.get_freeze_count()
    collector.resume()
    assert gc.isenabled()
    assert gc.get_freeze_count() == before
