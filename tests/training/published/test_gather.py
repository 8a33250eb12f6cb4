"""Two processes with half a batch each learn what one learns of all of it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from models.folder import ModelFolder
from tests.patience import WAIT_S
from tests.training.published.tiny_training import fresh, noise_batch, tiny_start
from training.published.gather import everyones, world
from training.published.module import InTraining
from training.published.samples import Batch

SIZE, PROCESSES = 8, 2
Result = tuple[float, dict[str, Tensor]]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return tiny_start(tmp_path_factory.mktemp("start") / "tiny")


def share(batch: Batch, rank: int) -> Batch:
    rows = slice(rank * SIZE // PROCESSES, (rank + 1) * SIZE // PROCESSES)
    return Batch(batch.waves[rows], batch.lengths[rows], batch.images[rows], batch.ids[rows], batch.places[rows], [])


def learnt(start: ModelFolder, batch: Batch) -> Result:
    """The loss of a batch and the gradients that all processes then agree on, as they do at the end of a step."""
    module = InTraining(*fresh(start, "parallel", dropout=0.0)).train()
    _, _, losses = module.parts(batch, together=True)
    losses["loss"].backward()  # type: ignore[no-untyped-call]
    gradients = {name: one.grad for name, one in module.named_parameters() if one.grad is not None}
    for gradient in gradients.values():
        if world()[1] > 1:
            dist.all_reduce(gradient)
            gradient /= world()[1]
    return losses["loss"].item(), gradients


def process(rank: int, start: ModelFolder, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=PROCESSES)
    assert everyones(torch.tensor([rank])).tolist() == [0, 1]
    torch.save(learnt(start, share(noise_batch(SIZE), rank)), folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def together(start: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    folder = tmp_path_factory.mktemp("together")
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=process, args=(rank, start, folder)) for rank in range(PROCESSES)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(WAIT_S)
    assert [one.exitcode for one in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


def test_the_loss_is_that_of_the_whole_batch(start: ModelFolder, together: list[Result]) -> None:
    alone, _ = learnt(start, noise_batch(SIZE))

    assert [loss for loss, _ in together] == pytest.approx([alone, alone], rel=1e-6)


def test_the_gradients_are_those_of_the_whole_batch(start: ModelFolder, together: list[Result]) -> None:
    _, alone = learnt(start, noise_batch(SIZE))

    for _, gradients in together:
        assert gradients.keys() == alone.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close({name: gradient}, {name: alone[name]}, rtol=1e-4, atol=1e-6)


def test_half_a_batch_alone_would_have_taught_something_else(start: ModelFolder, together: list[Result]) -> None:
    half, _ = learnt(start, share(noise_batch(SIZE), 0))

    assert together[0][0] != pytest.approx(half, rel=1e-2)


def test_a_process_that_is_alone_has_everything() -> None:
    rows = torch.ones(2, requires_grad=True)

    assert world() == (0, 1)
    assert everyones(rows) is rows
