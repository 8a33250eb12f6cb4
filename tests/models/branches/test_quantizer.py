from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from models.branches.quantizer import SPECIAL, Statistics, candidates, cosines, quantize


@pytest.fixture
def table() -> Tensor:
    return torch.randn(9, 6, generator=torch.Generator().manual_seed(0))


def test_a_keyword_becomes_the_row_in_whose_direction_it_is(table: Tensor) -> None:
    rows = torch.tensor([[1, 4, 8], [7, 7, 5]])
    found, targets = quantize(cosines(3 * table[rows], table), table, temperature=0.1, training=False)

    assert torch.equal(targets, rows)
    assert torch.equal(found, table[rows])


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("training", [True, False])
def test_what_is_no_sub_word_is_never_chosen(table: Tensor, special: int, training: bool) -> None:
    _, targets = quantize(cosines(table[special][None, None], table), table, 0.1, training)

    assert int(targets) not in SPECIAL


def test_scores_stay_as_they_were(table: Tensor) -> None:
    scores = cosines(table[None], table)
    before = scores.clone()
    candidates(scores)

    assert torch.equal(scores, before)
    assert scores.abs().max() <= 1 + 1e-6


def test_nothing_has_no_direction_and_is_near_to_nothing(table: Tensor) -> None:
    assert not cosines(torch.zeros(1, 2, 6), table).any()


def test_in_training_a_row_is_chosen_too_but_the_gradient_reaches_all(table: Tensor) -> None:
    scores = cosines(table[None, 4:6] + 0.1, table).requires_grad_()
    chosen, targets = quantize(scores, table, temperature=0.5, training=True)
    chosen.sum().backward()  # type: ignore[no-untyped-call]

    torch.testing.assert_close(chosen, table[targets])
    assert scores.grad is not None
    assert bool((scores.grad != 0).any(0).any(0)[[1, 4, 5, 6, 7, 8]].all())
    assert not scores.grad[..., list(SPECIAL)].any()


def test_perplexity_counts_how_many_different_ones_there_are() -> None:
    same, different = torch.zeros(1, 4, 9), 1e3 * torch.eye(9)[None, [1, 4, 5, 6]]
    same[..., 7] = 1e3

    assert Statistics.of(same).code_perplexity.item() == pytest.approx(1, abs=1e-4)
    assert Statistics.of(different).code_perplexity.item() == pytest.approx(4, abs=1e-4)
    assert Statistics.of(different).prob_perplexity.item() == pytest.approx(4, abs=1e-4)
    assert Statistics.of(torch.zeros(1, 4, 9)).entropy.tolist() == pytest.approx([math.log(6)] * 4, abs=1e-4)
