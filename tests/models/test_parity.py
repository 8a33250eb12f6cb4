"""Every array of the authors' code, computed here: eleven models of both papers, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch

from models.listeners import pad
from models.official import read_official
from tests.models.parity_computed import HUBERT_HEADS, Array, Computed
from tests.models.parity_variants import INPUTS, KNOWN_TO_BE_WRONG, RANKED, SINGLES, VARIANTS, Variant, tolerance

DISTINCT = 1e-5  # scores that differ by more have an order


@pytest.fixture(scope="module")
def compute(parity: Path) -> Callable[[Variant], Computed]:
    """Everything of a variant, once."""
    return cache(partial(Computed.of, parity=parity))


@pytest.fixture(params=VARIANTS, ids=lambda variant: variant.name)
def computed(request: pytest.FixtureRequest, compute: Callable[[Variant], Computed]) -> Computed:
    return compute(request.param)


@pytest.mark.parametrize(
    ("variant", "array"),
    [pytest.param(variant, array, id=f"{variant.name}-{array}") for variant in VARIANTS for array in variant.arrays()],
)
def test_an_array_equals_the_authors(compute: Callable[[Variant], Computed], variant: Variant, array: str) -> None:
    computed = compute(variant)
    ours, expected = computed.ours[array], computed.expected[array]

    assert ours.shape == expected.shape
    group, _, name = array.rpartition("/")
    if name in RANKED:
        distinct = with_an_order(computed.expected[f"{group}/{RANKED[name]}"])
        assert distinct.mean() > 0.9
        assert np.array_equal(ours[distinct], expected[distinct])
    else:
        atol = tolerance(array, np.abs(expected).max())
        np.testing.assert_allclose(ours, expected, rtol=0, atol=atol)


def with_an_order(scores: Array) -> Array:
    """Where (..., k) descending scores are not as good as equal to one of their neighbours."""
    gaps = -np.diff(scores, axis=-1) > DISTINCT
    open_end = np.ones_like(gaps[..., :1])
    before, after = (np.concatenate(pair, axis=-1) for pair in ((open_end, gaps), (gaps, open_end)))
    return np.logical_and(before, after)


def test_no_array_is_left_out(computed: Computed) -> None:
    left_out = set(computed.expected) - set(computed.variant.arrays())

    assert left_out - INPUTS - set(KNOWN_TO_BE_WRONG) == set()
    assert set(computed.variant.arrays()) <= set(computed.expected)


@torch.inference_mode()
def test_alone_the_two_semantics_are_one(computed: Computed) -> None:
    for branch in computed.variant.branches:
        for tag, wave in zip(SINGLES, computed.waves, strict=True):
            ours = computed.model.embed_speech(*pad([wave]), "official", branch).numpy()
            expected = computed.expected[f"{tag}/{branch}_audio_feat_normed"]
            np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


@torch.inference_mode()
def test_in_a_batch_an_utterance_gets_what_the_authors_code_gives_it_alone(computed: Computed) -> None:
    for branch in computed.variant.branches:
        alone = np.concatenate([computed.expected[f"{tag}/{branch}_audio_feat_normed"] for tag in SINGLES])
        together = computed.model.embed_speech(*pad(computed.waves), branch=branch).numpy()
        np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_the_reduced_vocabulary_is_found_without_its_file(parity: Path, variant: Variant) -> None:
    folder = parity / variant.name
    official = read_official(folder / "model.ckpt", variant.name, hubert_heads=HUBERT_HEADS)
    table = np.load(folder / "text_clip_vocab_usage_byfreq.npy")

    assert list(official.vocabulary) == table[:, 0].tolist()
