"""The best checkpoints, wherever their folder is now."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models.folder import find_model
from tests.tiny_model import save_tiny_model
from tests.training.published.tiny_training import recipe, training, write_corpus
from training.published import lightning
from training.published.checkpoints import ModelCheckpoint, best_ones
from training.published.errors import TrainingError
from training.published.lightning import Callback
from training.published.run import Training, train

# Of Lightning's own code, about itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:lightning")


class Lost(Exception):
    """The training, in the middle of it."""


class LostAt(Callback):
    """So many batches."""

    def __init__(self, number: int) -> None:
        self._number = number

    def on_train_batch_start(self, trainer: Any, *_: object) -> None:
        if trainer.fit_loop.total_batch_idx + 1 == self._number:
            raise Lost


def here(tmp_path: Path, **changes: Any) -> Training:
    start = save_tiny_model(tmp_path / "start", branch="cascaded")
    return training(write_corpus(tmp_path / "corpus"), start, tmp_path / "old", **changes)


def run(what: Training, *callbacks: Callback) -> Path | None:
    return train(what, lambda line: None, progress=False, callbacks=callbacks)


@pytest.mark.filterwarnings("error:The dirpath has changed")
def test_a_folder_that_was_moved_in_the_middle_still_knows_its_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter([90.0, 50.0, 60.0])
    monkeypatch.setattr("training.published.validation.figures", lambda *_: {"recall_mean_10": next(found)})
    what = here(tmp_path)
    with pytest.raises(Lost):
        run(what, LostAt(5))
    (tmp_path / "old").rename(tmp_path / "new")
    model = run(replace(what, out=tmp_path / "new"))

    assert model == tmp_path / "new" / "model"
    best = tmp_path / "new" / "checkpoints" / "step_3-val_recall_mean_10_90.00.ckpt"
    saved = torch.load(best, weights_only=True)["state_dict"]["model.audio_encoder.layer_weights"]
    exported = find_model(str(model)).load().state_dict()["audio_encoder.layer_weights"]
    assert torch.equal(exported, saved)
    assert "90.0" in (model / "README.md").read_text()
    assert not (tmp_path / "old").exists()


def test_a_copy_has_nothing_to_do_with_what_it_was_copied_from(tmp_path: Path) -> None:
    what = here(tmp_path, optimiser__steps=3)
    first = run(what)
    shutil.copytree(tmp_path / "old", tmp_path / "new", ignore=shutil.ignore_patterns("model"))
    shutil.rmtree(tmp_path / "old" / "checkpoints")
    second = run(replace(what, out=tmp_path / "new"))

    assert find_model(str(second)).fingerprint == find_model(str(first)).fingerprint


def test_a_best_checkpoint_that_is_gone_is_told(tmp_path: Path) -> None:
    what = here(tmp_path, optimiser__steps=3)
    run(what)
    shutil.rmtree(tmp_path / "old" / "model")
    (best,) = (tmp_path / "old" / "checkpoints").glob("step_*")
    best.unlink()
    with pytest.raises(TrainingError, match=r"step_3.* is gone"):
        run(what)


def test_checkpoints_of_lightnings_own_are_understood(tmp_path: Path) -> None:
    told = recipe("nano")
    ours = best_ones(tmp_path, told)
    theirs = lightning.ModelCheckpoint(monitor=ours.monitor, mode="max", every_n_epochs=1)

    assert isinstance(ours, ModelCheckpoint)
    assert ours.state_key == theirs.state_key
