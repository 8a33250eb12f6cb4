"""One schedule for Muon and AdamW."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon

from models.clip import build_clip
from tests.training.tiny_recipe import tiny_recipe
from training.nano.listener import Listener
from training.nano.optimiser import Optimiser, autocast, schedule
from training.nano.recipe import Stage

STAGE = Stage(steps=100, batch=1, matrix_rate=0.02, rate=1e-2, warmup=0.1)


def test_the_rate_rises_in_a_line_and_falls_in_a_line_to_nothing() -> None:
    shares = [schedule(step, STAGE) for step in range(STAGE.steps + 1)]

    assert shares[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert shares[10] == max(shares) == 1
    falls = {round(left - right, 9) for left, right in pairwise(shares[10:])}
    assert falls == {round(1 / 90, 9)}
    assert shares[99] > shares[100] == 0


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 1.0])
def test_however_short_a_stage_is_every_step_moves(steps: int, warmup: float) -> None:
    stage = Stage(steps=steps, batch=1, matrix_rate=1, rate=1, warmup=warmup)

    assert all(0 < schedule(step, stage) <= 1 for step in range(steps))
    assert schedule(steps, stage) <= 1


def modules() -> list[nn.Module]:
    recipe = tiny_recipe()
    return [Listener(recipe.model, 5), build_clip(recipe.model.clip, recipe.model.embedding_size)]


@pytest.mark.parametrize("place", [0, 1])
def test_every_trainable_weight_is_in_exactly_one_optimiser(place: int) -> None:
    module = modules()[place]
    frozen = next(module.parameters())
    frozen.requires_grad_(False)
    optimiser = Optimiser([module], STAGE)
    counts = Counter(
        id(weight) for one in optimiser.optimisers for group in one.param_groups for weight in group["params"]
    )

    assert counts == {id(weight): 1 for weight in module.parameters() if weight is not frozen}
    assert {id(weight) for weight in optimiser.parameters} == set(counts)


def test_a_scalar_of_its_own_is_trained_with_the_rest() -> None:
    layer, scale = nn.Linear(3, 3), nn.Parameter(torch.tensor(1.0))
    optimiser = Optimiser([layer], STAGE, [scale])
    optimiser.step(scale * layer(torch.ones(3)).sum(), 0)

    assert scale.item() != 1
    assert sum(weight is scale for weight in optimiser.parameters) == 1


def test_a_weight_shared_by_two_modules_is_taken_once() -> None:
    layer = nn.Linear(3, 3)
    optimiser = Optimiser([layer, nn.Sequential(layer)], STAGE)

    assert len(optimiser.parameters) == 2


def test_matrices_inside_the_network_go_to_muon_and_embeddings_do_not() -> None:
    clip = modules()[1]
    muon, adam = Optimiser([clip], STAGE).optimisers
    names = {id(weight): name for name, weight in clip.named_parameters()}
    matrices = {names[id(weight)] for weight in muon.param_groups[0]["params"]}

    assert isinstance(muon, Muon)
    assert isinstance(adam, AdamW)
    assert "transformer.resblocks.0.mlp.c_fc.weight" in matrices
    assert not {"token_embedding.weight", "positional_embedding", "logit_scale"} & matrices


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.bias = nn.Linear(4, 4, bias=False), nn.Parameter(torch.zeros(4))

    def loss(self) -> Tensor:
        inputs = torch.eye(4)
        loss: Tensor = (self.inner(inputs) + self.bias - 2 * inputs - 1).square().mean()
        return loss


def test_steps_reduce_the_loss_and_move_everything() -> None:
    toy = Toy()
    before = [weight.detach().clone() for weight in toy.parameters()]
    optimiser = Optimiser([toy], STAGE.model_copy(update={"matrix_rate": 0.1, "rate": 0.1}))
    losses = []
    for number in range(STAGE.steps):
        losses.append(toy.loss().item())
        assert optimiser.step(toy.loss(), number) >= 0

    assert losses[-1] < losses[0] / 10
    assert all(not torch.equal(old, new) for old, new in zip(before, toy.parameters(), strict=True))


def test_each_step_has_the_rates_of_its_number() -> None:
    toy = Toy()
    optimiser = Optimiser([toy], STAGE)
    optimiser.step(toy.loss(), 4)

    assert [one.param_groups[0]["lr"] for one in optimiser.optimisers] == pytest.approx([0.01, 0.005])


def test_a_gradient_that_explodes_is_clipped() -> None:
    toy = Toy()
    optimiser = Optimiser([toy], STAGE)
    norm = optimiser.step(1e6 * toy.loss(), 0)
    clipped = torch.stack([weight.grad.norm() for weight in toy.parameters() if weight.grad is not None]).norm()

    assert norm > 1e5
    assert clipped.item() == pytest.approx(4, rel=1e-3)


def test_weights_without_a_gradient_stay_as_they_are() -> None:
    toy = Toy()
    optimiser = Optimiser([toy], STAGE)
    before = toy.inner.weight.detach().clone()
    optimiser.step(toy.bias.sum(), 0)

    assert torch.equal(toy.inner.weight, before)
    assert toy.bias.detach().abs().sum() > 0


def test_it_goes_on_from_its_state_as_if_it_had_never_stopped() -> None:
    def run(steps: range, toy: Toy, optimiser: Optimiser) -> None:
        for number in steps:
            optimiser.step(toy.loss(), number)

    whole, resumed = Toy(), Toy()
    run(range(10), whole, Optimiser([whole], STAGE))
    first = Optimiser([resumed], STAGE)
    run(range(6), resumed, first)
    second = Optimiser([resumed], STAGE)
    second.load_state_dict(first.state_dict())
    run(range(6, 10), resumed, second)

    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_matrix_products_run_in_half_the_bits_there_and_only_there() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x = torch.ones(2, 2, device=device)
    with autocast():
        inside = x @ x

    assert inside.dtype == torch.bfloat16
    assert (x @ x).dtype == torch.float32
