"""Which checkpoints a training keeps, and how it finds them again where its folder was moved or copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.published import lightning
from training.published.lightning import Callback, Trainer
from training.published.module import SELECT_BY
from training.published.recipe import Recipe

CHECKPOINTS, LAST = "checkpoints", "last"


class ModelCheckpoint(lightning.ModelCheckpoint):
    """Lightning forgets which were the best where their folder has another name than it had, and looks for them there.

    Its name is that of Lightning's, as checkpoints have its state under that.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        here = {name: self._here(state_dict[name]) for name in paths}
        best = {self._here(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **here, "best_k_models": best, "dirpath": self.dirpath})

    def _here(self, path: str) -> str:
        return str(Path(str(self.dirpath), Path(path).name)) if path else path


def best_ones(out: Path, recipe: Recipe) -> ModelCheckpoint:
    name = f"step_{{step}}-{SELECT_BY}_{{{SELECT_BY}:.2f}}"
    return ModelCheckpoint(
        out / CHECKPOINTS,
        name,
        monitor=SELECT_BY,
        mode="max",
        save_top_k=recipe.keep,
        auto_insert_metric_name=False,
        save_on_train_epoch_end=False,
        enable_version_counter=False,
    )


def to_go_on_from(out: Path, recipe: Recipe) -> list[Callback]:
    """After every epoch, and every so many steps within one; and the least loss, as the authors keep it."""
    where: dict[str, Any] = {"dirpath": out / CHECKPOINTS, "enable_version_counter": False}
    return [
        ModelCheckpoint(**where, filename="least_loss", monitor="val_loss", save_on_train_epoch_end=False),
        _WithinEpoch(**where, filename=LAST, every_n_train_steps=recipe.save_every),
        ModelCheckpoint(**where, filename=LAST, save_on_train_epoch_end=True),
    ]


class _WithinEpoch(ModelCheckpoint):
    """Only right after a step, as gradients on the way to one are in no checkpoint; and not between the last step, of
    an epoch or of all, and its validation, which would not be made up for.
    """

    def on_train_batch_end(self, trainer: Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and not trainer.is_last_batch and not trainer.should_stop:
            super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)
