"""Training from features is training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models.clip import ImagePreprocessor
from models.folder import ModelFolder, find_model
from tests.tiny_model import BRANCHES, STYLES, VOCABULARY, BranchName, Style, save_tiny_model
from tests.training.published.tiny_training import recipe, write_corpus
from training.datasets import open_dataset
from training.published.features.batches import FeatureBatch, collate_features
from training.published.features.planned import Planned
from training.published.module import InTraining
from training.published.samples import Batch, FromFiles, Samples, collate
from training.published.start import new_model

PLACES = (0, 12, 3, 7, 9)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("here") / "corpus")


@pytest.fixture(scope="module", params=STYLES)
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    style: Style = request.param
    return find_model(str(save_tiny_model(tmp_path_factory.mktemp("start") / style, style)))


def module(start: ModelFolder, branch: BranchName) -> InTraining:
    told = recipe(start.path, branch, semantics="independent")
    return InTraining(new_model(told, start, VOCABULARY), told)


def batches(corpus: Path, learning: InTraining) -> tuple[Batch, FeatureBatch]:
    """The same pairs, as they are and by their features."""
    dataset, pixels = open_dataset("manifest", corpus, "train"), ImagePreprocessor(learning.model.config.clip.vision)
    plan = Planned.of(learning.model, "float16", corpus.parent / "features", (dataset, dataset), 100_000)
    features = plan.carry_out(lambda line: None, progress=False)
    ids = [pair.image_id for pair in dataset.pairs]

    def drawn(load: Callable[..., Any], into: Callable[..., Any]) -> Any:
        samples = Samples[Any](load, ids, replaced=True)
        return into([samples[place, 0] for place in PLACES])

    return drawn(FromFiles(dataset.pairs, pixels, None, 0), collate), drawn(features.training, collate_features)


@pytest.mark.parametrize("branch", BRANCHES)
def test_losses_and_gradients_are_those_without_features(start: ModelFolder, corpus: Path, branch: BranchName) -> None:
    learning = module(start, branch).train()
    found = []
    for batch in batches(corpus, learning):
        torch.manual_seed(3)  # what is forgotten by chance is the same
        learning.zero_grad()
        _, _, losses = learning.parts(batch, together=True)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        gradients = {name: one.grad.clone() for name, one in learning.named_parameters() if one.grad is not None}
        found.append(({name: loss.detach() for name, loss in losses.items()}, gradients))

    (without, learnt_without), (with_features, learnt_with) = found
    torch.testing.assert_close(with_features, without, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(learnt_with, learnt_without, rtol=2e-2, atol=5e-3)


def test_a_batch_is_padded_with_nothing(start: ModelFolder, corpus: Path) -> None:
    plain, features = batches(corpus, module(start, "parallel"))

    assert features.states.dtype == torch.float16
    assert features.states.shape[:2] == (3, len(PLACES))
    assert torch.equal(features.ids, plain.ids)
    assert torch.equal(features.places, plain.places)
    for row, length in enumerate(features.lengths.tolist()):
        assert not features.states[:, row, length:].any()
        assert features.states[:, row, :length].any()
    assert collate_features([]) is None
