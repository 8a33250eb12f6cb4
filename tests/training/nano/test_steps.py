"""The frame of every stage."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from training.nano.optimiser import Optimiser
from training.nano.recipe import Stage
from training.nano.steps import Losses, StageRun

STEPS = 7
STAGE = Stage(steps=STEPS, batch=4, matrix_rate=0.01, rate=0.01)


class _Killed(Exception):
    pass


def layer() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))


def run(path: Path, module: nn.Module, save_every: int, killed_at: int | None = None) -> list[int]:
    """Train; returns the numbers of the steps taken."""
    seen: list[int] = []

    def losses(number: int) -> Losses:
        if number == killed_at:
            raise _Killed
        seen.append(number)
        inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(number))
        outputs: Tensor = module(inputs)
        return {"near": (outputs - inputs).square().mean(), "small": outputs.abs().mean()}

    StageRun(path, module, Optimiser([module], STAGE)).train(losses, save_every)
    return seen


def test_every_step_is_taken_once_and_changes_the_weights(tmp_path: Path) -> None:
    module, before = layer(), layer().state_dict()
    assert run(tmp_path / "stage.pt", module, save_every=3) == list(range(STEPS))
    assert any(not torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_a_stage_goes_on_from_its_last_checkpoint_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    straight, interrupted, resumed = layer(), layer(), layer()
    run(tmp_path / "straight.pt", straight, save_every=2)
    with pytest.raises(_Killed):
        run(tmp_path / "stage.pt", interrupted, save_every=2, killed_at=5)
    assert run(tmp_path / "stage.pt", resumed, save_every=2) == [4, 5, 6]
    for name, tensor in straight.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_finished_stage_takes_no_step(tmp_path: Path) -> None:
    run(tmp_path / "stage.pt", layer(), save_every=100)
    assert run(tmp_path / "stage.pt", layer(), save_every=100) == []


def test_it_tells_the_mean_of_each_loss_whenever_it_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "stage.pt", layer(), save_every=4)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("stage ") and "near" in line]
    assert [line.split(":")[0] for line in lines] == ["stage 4", "stage 7"]
    assert all("small" in line and "s a step" in line for line in lines)


def test_whoever_asks_is_told_after_every_step(tmp_path: Path) -> None:
    module, told = layer(), list[int]()
    StageRun(tmp_path / "stage.pt", module, Optimiser([module], STAGE)).train(
        lambda number: {"small": module(torch.ones(4, 3)).square().mean()}, 100, told.append
    )
    assert told == [1, 2, 3, 4, 5, 6, 7]
