"""The loss of every variant."""

from __future__ import annotations

import pytest
import torch

from models.folder import ModelFolder
from tests.tiny_model import BRANCHES, BranchName
from tests.training.published.tiny_training import fresh, noise_batch, tiny_start
from training.losses import MaskedContrastiveLoss
from training.published.module import InTraining


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return tiny_start(tmp_path_factory.mktemp("start") / "tiny")


@pytest.mark.parametrize("branch", BRANCHES)
def test_it_is_the_weighted_sum_of_its_parts(start: ModelFolder, branch: BranchName) -> None:
    module = InTraining(*fresh(start, branch)).eval()
    batch = noise_batch(6)
    heard, images, losses = module.parts(batch, together=True)

    plain = MaskedContrastiveLoss()
    weights = {"parallel": 1.0, "cascaded": 1.5}
    parts = {f"{name}_loss": weights[name] * plain(rows, images, batch.ids) for name, rows in heard.vectors.items()}
    if branch.endswith("+"):
        assert heard.quantity is not None
        wanted = torch.tensor([(3_200 + 320 * row) / 320 / 5 for row in range(6)]).round()
        parts["quantity_loss"] = 0.25 * (heard.quantity - wanted).abs().mean()
    assert losses.keys() == {"loss", *parts}
    for name, part in parts.items():
        torch.testing.assert_close(losses[name], part)
    torch.testing.assert_close(losses["loss"], torch.stack(list(parts.values())).sum())


@pytest.mark.parametrize("branch", BRANCHES)
def test_everything_learns_but_what_is_frozen(start: ModelFolder, branch: BranchName) -> None:
    module = InTraining(*fresh(start, branch)).train()
    _, _, losses = module.parts(noise_batch(6), together=True)
    losses["loss"].backward()  # type: ignore[no-untyped-call]

    gradients = {name: parameter.grad for name, parameter in module.named_parameters()}
    learning = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    assert {name for name, gradient in gradients.items() if gradient is not None} == learning
    assert "objective.contrastive.temperature" in learning
    # An attention's own bias of keys changes no softmax.
    assert all(gradients[name].any() for name in learning)  # type: ignore[union-attr]


@pytest.mark.parametrize("branch", ["cascaded", "hybrid+"])
def test_half_precision_does_not_round_the_cosines_of_keywords(start: ModelFolder, branch: BranchName) -> None:
    module = InTraining(*fresh(start, branch)).train()
    with torch.autocast("cpu", torch.bfloat16):
        heard, _, _ = module.parts(noise_batch(6), together=True)

    assert heard.keywords is not None
    directions = torch.nn.functional.normalize(module.model.subwords, dim=-1)
    cosines = torch.nn.functional.normalize(heard.keywords.vectors.float(), dim=-1) @ directions.T
    assert heard.keywords.scores.dtype == torch.float32
    torch.testing.assert_close(heard.keywords.scores, cosines, rtol=0, atol=1e-6)


def test_what_is_frozen_stays_in_evaluation_mode(start: ModelFolder) -> None:
    module = InTraining(*fresh(start, "cascaded")).train()

    assert module.model.cascaded_branch.training
    assert not any(part.training for part in module.model.audio_encoder.hubert.modules())
    assert not any(part.training for part in module.model.clip.modules())


def test_hubert_is_in_training_mode_where_it_is_to_forget(start: ModelFolder) -> None:
    module = InTraining(*fresh(start, "cascaded", hubert_dropout=0.1)).train()

    assert module.model.audio_encoder.hubert.training
    assert not any(part.training for part in module.model.clip.modules())
    assert not any(parameter.requires_grad for parameter in module.model.audio_encoder.hubert.parameters())
    assert not any(part.training for part in module.eval().modules())


def test_the_temperature_is_learnt_only_where_it_is_asked_for(start: ModelFolder) -> None:
    module = InTraining(*fresh(start, "parallel", loss__temperature_learnt=False))

    assert not module.objective.contrastive.temperature.requires_grad


def test_the_first_rate_is_that_of_the_schedule(start: ModelFolder) -> None:
    found = InTraining(*fresh(start, "parallel", optimiser__warmup=4)).configure_optimizers()
    adam = found["optimizer"]

    assert isinstance(adam, torch.optim.Adam)
    assert adam.param_groups[0]["lr"] == pytest.approx(0.01 / 4)
    assert adam.param_groups[0]["weight_decay"] == 1e-6
    assert found["lr_scheduler"]["interval"] == "step"
