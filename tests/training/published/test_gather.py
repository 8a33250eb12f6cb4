"""Two processes with half a batch each learn what one learns of all of it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from models.clip import Tokenizer
from models.folder import ModelFolder
from tests.patience import WAIT_S
from tests.tiny_model import VOCABULARY, BranchName
from tests.training.published.tiny_training import fresh, noise_batch, tiny_start
from training.published.gather import everyones, world
from training.published.module import InTraining
from training.published.samples import Batch
from training.words import Said

SIZE, PROCESSES = 8, 2
TOKENS = Tokenizer()
WORDS = [TOKENS.decode([number]) for number in VOCABULARY[5:11]]
CASES: dict[str, tuple[BranchName, list[int]]] = {
    "parallel": ("parallel", []),
    "slots": ("hybrid", [1, 1, 1, 1, 6, 6, 6, 6]),
    "slots, nothing known in one": ("hybrid", [0, 0, 0, 0, 1, 1, 6, 6]),
    "in order": ("hybrid+", [1, 1, 1, 1, 6, 6, 6, 6]),
    "in order, nothing known in one": ("hybrid+", [0, 0, 0, 0, 1, 1, 6, 6]),
    "nothing known": ("hybrid", [0] * SIZE),
}
"""A branch, and how many words each caption has; none where they are not told."""
Result = tuple[float, dict[str, Tensor]]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return tiny_start(tmp_path_factory.mktemp("start") / "tiny")


def share(batch: Batch, rank: int) -> Batch:
    rows = slice(rank * SIZE // PROCESSES, (rank + 1) * SIZE // PROCESSES)
    return Batch(batch.waves[rows], batch.lengths[rows], batch.images[rows], batch.ids[rows], batch.places[rows], [])


def learnt(start: ModelFolder, batch: Batch, case: str) -> Result:
    """The loss of a batch and the gradients that all processes then agree on, as they do at the end of a step."""
    branch, words = CASES[case]
    more = {"loss__words": 2.0} if words else {}
    module = InTraining(*fresh(start, branch, dropout=0.0, cif_dropout=0.0, semantics="independent", **more)).train()
    if words:
        # On GPUs its statistics are of all processes too, by Lightning; not so here.
        module.model.cascaded_branch.keyword_norm.eval()
    told = Said([" ".join(WORDS[:count]) for count in words], VOCABULARY, TOKENS)(batch.places) if words else None
    _, _, losses = module.parts(batch, together=True, told=told)
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
    batch = share(noise_batch(SIZE), rank)
    torch.save({case: learnt(start, batch, case) for case in CASES}, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def together(start: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Result]]:
    folder = tmp_path_factory.mktemp("together")
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=process, args=(rank, start, folder)) for rank in range(PROCESSES)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(WAIT_S)
    assert [one.exitcode for one in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


@pytest.mark.parametrize("case", CASES)
def test_the_loss_is_that_of_the_whole_batch(start: ModelFolder, together: list[dict[str, Result]], case: str) -> None:
    alone, _ = learnt(start, noise_batch(SIZE), case)

    assert [found[case][0] for found in together] == pytest.approx([alone, alone], rel=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_the_gradients_are_those_of_the_whole_batch(
    start: ModelFolder, together: list[dict[str, Result]], case: str
) -> None:
    _, alone = learnt(start, noise_batch(SIZE), case)

    for found in together:
        gradients = found[case][1]
        assert gradients.keys() == alone.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close({name: gradient}, {name: alone[name]}, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_half_a_batch_alone_would_have_taught_something_else(
    start: ModelFolder, together: list[dict[str, Result]], case: str
) -> None:
    half, _ = learnt(start, share(noise_batch(SIZE), 0), case)

    assert together[0][case][0] != pytest.approx(half, rel=1e-2)


def test_a_process_that_is_alone_has_everything() -> None:
    rows = torch.ones(2, requires_grad=True)

    assert world() == (0, 1)
    assert everyones(rows) is rows
