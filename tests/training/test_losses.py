"""The contrastive loss. That it is the authors' is tested in tests/models/test_parity_units.py."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from training.losses import MaskedContrastiveLoss, contrastive, negatives


def vectors(count: int, size: int = 5, seed: int = 0) -> Tensor:
    return normalize(
        torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1
    )


def by_hand(a: Tensor, b: Tensor, ids: list[int], tau: float, margin: float = 0.0, decoupled: bool = False) -> float:
    """The loss of one direction, written as the sum that it is."""
    total = 0.0
    for i in range(len(a)):
        positive = float(a[i] @ b[i]) / tau - margin
        others = [math.exp(float(a[i] @ b[j]) / tau) for j in range(len(b)) if ids[j] != ids[i]]
        total += math.log(sum(others) + (0.0 if decoupled else math.exp(positive))) - positive
    return total / len(a)


IDS = [4, 7, 4, 1, 7, 7]


@pytest.mark.parametrize("margin", [0.0, 0.3])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("ids", [IDS, list(range(6)), None])
def test_it_is_what_the_formula_says(ids: list[int] | None, decoupled: bool, margin: float) -> None:
    a, b = vectors(6, seed=1), vectors(6, seed=2)
    loss = MaskedContrastiveLoss(0.2, margin=margin, decoupled=decoupled)
    known = ids or list(range(6))
    expected = (by_hand(a, b, known, 0.2, margin, decoupled) + by_hand(b, a, known, 0.2, margin, decoupled)) / 2

    assert float(loss(a, b, None if ids is None else torch.tensor(ids))) == pytest.approx(expected, rel=1e-5)


def test_it_is_the_same_from_both_sides() -> None:
    a, b, loss = vectors(6, seed=1), vectors(6, seed=2), MaskedContrastiveLoss()

    assert float(loss(a, b)) == pytest.approx(float(loss(b, a)), rel=1e-6)


def test_other_pairs_of_the_same_image_are_no_negatives() -> None:
    mask = negatives(torch.tensor([1, 2, 1]))

    assert mask.tolist() == [[True, True, False], [True, True, True], [False, True, True]]


def test_the_right_pairing_costs_least() -> None:
    a, loss = vectors(6), MaskedContrastiveLoss()

    assert float(loss(a, a)) < float(loss(a, a.roll(1, 0)))


def test_one_pair_alone_costs_nothing() -> None:
    assert float(MaskedContrastiveLoss()(vectors(1), vectors(1, seed=1))) == pytest.approx(0, abs=1e-6)


def test_masked_columns_do_not_count_however_large() -> None:
    logits = torch.tensor([[1.0, 2.0, 900.0]])
    mask = torch.tensor([[True, True, False]])

    assert float(contrastive(logits, torch.tensor([0]), mask)) == pytest.approx(math.log(1 + math.e), rel=1e-6)


def test_large_logits_do_not_overflow() -> None:
    logits = torch.tensor([[3e4, 1e4], [1e4, 3e4]])

    assert float(contrastive(logits, torch.arange(2), torch.ones(2, 2, dtype=torch.bool))) == 0


def test_the_gradient_is_that_of_the_values() -> None:
    logits = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    positives = torch.tensor([0, 2, 2, 5])
    mask = torch.rand(4, 6, generator=torch.Generator().manual_seed(1)) < 0.6
    mask[torch.arange(4), positives] = True

    assert torch.autograd.gradcheck(lambda x: contrastive(x, positives, mask), (logits,))
    contrastive(logits, positives, mask).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert not logits.grad[~mask].any()


def test_the_temperature_is_learnt_only_where_it_is_asked_for() -> None:
    for trainable in (False, True):
        loss = MaskedContrastiveLoss(0.1, trainable=trainable)
        assert loss.temperature.requires_grad is trainable
        assert loss.temperature.exp().item() == pytest.approx(10)
