"""Checkpoints of a stage."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from training.nano.checkpoint import load_stage, save_stage
from training.nano.optimiser import Optimiser
from training.nano.recipe import Stage

STAGE = Stage(steps=10, batch=1, matrix_rate=0.02, rate=1e-2)


def trained(steps: int, seed: int = 0) -> tuple[nn.Linear, Optimiser]:
    torch.manual_seed(seed)
    layer = nn.Linear(3, 3)
    optimiser = Optimiser([layer], STAGE)
    for number in range(steps):
        optimiser.step(layer(torch.ones(3)).square().sum(), number)
    return layer, optimiser


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    layer, optimiser = trained(5)
    save_stage(tmp_path / "new" / "stage.pt", layer, optimiser, 5)
    other, fresh = trained(0, seed=1)

    assert load_stage(tmp_path / "new" / "stage.pt", other, fresh) == 5
    assert equal(layer, other)
    for one, loaded in ((layer, optimiser), (other, fresh)):
        loaded.step(one(torch.ones(3)).square().sum(), 5)
    assert equal(layer, other)


def test_weights_alone_can_be_loaded(tmp_path: Path) -> None:
    layer, optimiser = trained(2)
    save_stage(tmp_path / "stage.pt", layer, optimiser, 2)
    other, _ = trained(0, seed=1)

    assert load_stage(tmp_path / "stage.pt", other) == 2
    assert equal(layer, other)


def test_without_a_checkpoint_a_stage_begins_at_its_beginning(tmp_path: Path) -> None:
    layer, optimiser = trained(0)

    assert load_stage(tmp_path / "stage.pt", layer, optimiser) == 0
    assert equal(layer, trained(0)[0])


def test_a_kill_while_writing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, optimiser = trained(1)
    save_stage(tmp_path / "stage.pt", layer, optimiser, 1)

    def killed(_content: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            save_stage(tmp_path / "stage.pt", *trained(7), 7)
    assert load_stage(tmp_path / "stage.pt", trained(0)[0]) == 1

    save_stage(tmp_path / "stage.pt", *trained(7), 7)
    assert load_stage(tmp_path / "stage.pt", trained(0)[0]) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["stage.pt"]


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    layer, optimiser = trained(1)
    save_stage(tmp_path / "stage.pt", layer, optimiser, 1)

    with pytest.raises(RuntimeError, match="size mismatch"):
        load_stage(tmp_path / "stage.pt", nn.Linear(4, 3))
