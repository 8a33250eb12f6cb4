"""How utterances are put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.listeners import InBatches, Listener, OneByOne, buckets, pad
from tests.tiny_model import Style, tiny_config, tiny_speechclip

Noises = Callable[[Sequence[int]], list[NDArray[np.float32]]]
SAMPLES = [5_000, 16_000, 1_600, 15_000, 5_100]


@given(st.lists(st.integers(1, 10_000), max_size=40), st.integers(1, 30_000))
def test_every_item_is_in_one_bucket_of_similar_and_not_too_many(lengths: list[int], most: int) -> None:
    found = list(buckets(lengths, most))

    assert sorted(row for bucket in found for row in bucket) == list(range(len(lengths)))
    for bucket in found:
        sizes = [lengths[row] for row in bucket]
        assert max(sizes) <= 1.25 * min(sizes)
        assert len(bucket) == 1 or max(sizes) * len(bucket) <= most


@torch.inference_mode()
def test_both_ways_hear_the_same(style: Style, noises: Noises) -> None:
    encoder, waves = tiny_speechclip(tiny_config(style)).audio_encoder, noises(SAMPLES)
    ways: list[Listener] = [
        OneByOne(encoder, torch.float32),
        InBatches(encoder, torch.device("cpu"), torch.float32, seconds=0.7),
    ]
    heard = []
    for way in ways:
        rows = {}
        for group, frames in way(waves):
            for row, features, length in zip(group, frames.features, frames.lengths.tolist(), strict=True):
                rows[row] = features[:length]
        heard.append([rows[row] for row in range(len(waves))])

    for one, other in zip(*heard, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=2e-5)


@torch.inference_mode()
def test_batches_are_made_in_another_precision_where_that_is_wished(noises: Noises) -> None:
    encoder, waves = tiny_speechclip().audio_encoder, noises([16_000])
    exact, rough = (
        next(iter(InBatches(encoder, torch.device("cpu"), kind)(waves)))[1].features
        for kind in (torch.float32, torch.bfloat16)
    )

    assert rough.dtype == torch.float32
    assert 0 < (exact - rough).abs().max() < 0.2 * exact.abs().max()


@torch.inference_mode()
def test_what_goes_from_layer_to_layer_stays_in_single_precision(style: Style, noises: Noises) -> None:
    encoder = tiny_speechclip(tiny_config(style)).audio_encoder
    padded, lengths = pad(noises([5_000, 16_000]))
    with torch.autocast("cpu", torch.bfloat16):
        rough = encoder(padded, lengths)
    exact = encoder(padded, lengths)

    assert {hidden.dtype for hidden in rough.hidden_states} == {torch.float32}
    for row, length in enumerate(exact.lengths.tolist()):
        distance = (exact.features[row, :length] - rough.features[row, :length]).abs().max()
        assert 0 < distance < 0.2 * exact.features.abs().max()


def test_nothing_is_no_group(noises: Noises) -> None:
    assert list(OneByOne(tiny_speechclip().audio_encoder, torch.float32)(noises([]))) == []
    assert list(buckets([], 1)) == []


@pytest.mark.parametrize("company", [[0, 1, 2], [2, 1, 0]])
@torch.inference_mode()
def test_one_by_one_company_changes_no_bit(company: list[int], noises: Noises) -> None:
    listen, waves = OneByOne(tiny_speechclip().audio_encoder, torch.float32), noises(SAMPLES[:3])
    alone = [next(iter(listen([wave])))[1].features for wave in waves]

    for place, (_, frames) in enumerate(listen([waves[row] for row in company])):
        assert torch.equal(frames.features, alone[company[place]])
