"""What goes over a lane arrives as it was, whatever its size."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from app.apart.lane import MEMORY, Lane
from tests.patience import WAIT_S

Ends = tuple[Lane, Lane]
SAMPLES = MEMORY // 4


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Lane.to(ours, WAIT_S), Lane.taken(theirs)


def sent(ends: Ends, *arguments: object) -> tuple[object, ...]:
    """What arrives of the arguments of a call."""
    asking, asked = ends
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(asking.answered_to, ("method", arguments))
        method, arrived = asked.asked()
        asked.answer(method)
        assert answer.result(WAIT_S) == "method"
    return arrived


def noise(size: int) -> NDArray[np.float32]:
    return np.random.default_rng(size).standard_normal(size, np.float32)


@pytest.mark.parametrize("sizes", [[0], [1, 17, 48_000], [SAMPLES], [SAMPLES - 1, 1], [SAMPLES + 1], [10 * SAMPLES, 3]])
def test_waves_arrive_as_they_are(ends: Ends, sizes: list[int]) -> None:
    waves = [noise(size) for size in sizes]

    (arrived,) = sent(ends, waves)

    assert isinstance(arrived, list)
    for wave, other in zip(waves, arrived, strict=True):
        assert other.dtype == np.float32
        assert np.array_equal(wave, other)


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(0, SAMPLES), max_size=6), texts=st.lists(st.text(), max_size=4), flag=st.booleans())
def test_anything_together(ends: Ends, sizes: list[int], texts: list[str], flag: bool) -> None:
    waves = [noise(size) for size in sizes]

    arrived, read, told = sent(ends, waves, texts, flag)

    assert isinstance(arrived, list)
    assert all(np.array_equal(wave, other) for wave, other in zip(waves, arrived, strict=True))
    assert (read, told) == (texts, flag)


def test_pieces_of_arrays_and_pictures(ends: Ends) -> None:
    every_other, picture = noise(1000)[::2], Image.effect_noise((64, 64), 50).convert("RGB")

    samples, image = sent(ends, every_other, picture)

    assert np.array_equal(every_other, np.asarray(samples))
    assert isinstance(image, Image.Image)
    assert image.tobytes() == picture.tobytes()


def test_nothing_of_a_longer_call_is_left_in_the_next(ends: Ends) -> None:
    sent(ends, noise(SAMPLES))
    (short,) = sent(ends, np.zeros(3, np.float32))
    assert np.array_equal(np.asarray(short), np.zeros(3))


def test_an_end_that_is_gone_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        asking, asked = Lane.to(ours, WAIT_S), Lane.taken(theirs)
    del asked
    with pytest.raises(OSError, match="pipe"):
        asking.answered_to(("method", ()))


@pytest.mark.parametrize("size", [3, 100 * SAMPLES], ids=["that was read", "that nobody reads"])
def test_a_call_that_is_not_answered_in_time_is_given_up_and_its_lane_with_it(size: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        asking, asked = Lane.to(ours, 0.1), Lane.taken(theirs)
    with pytest.raises(TimeoutError):
        asking.answered_to(("method", (np.zeros(size, np.float32),)))
    with pytest.raises(OSError, match="closed"):
        asking.answered_to(("method", ()))
    del asked


def test_a_call_that_cannot_be_written_down_does_the_lane_no_harm(ends: Ends) -> None:
    with pytest.raises(AttributeError):
        ends[0].answered_to(("method", (lambda: None,)))
    assert sent(ends, "text") == ("text",)
