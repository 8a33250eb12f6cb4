"""A SpeechCLIP model in training, as Lightning wants it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.hubert import Frames
from models.speechclip import SpeechClip
from training.published.errors import TrainingError
from training.published.features.batches import FeatureBatch
from training.published.gather import world
from training.published.in_training import add_aim, add_dropout, add_hubert_dropout, aim
from training.published.lightning import LightningModule
from training.published.objective import Heard, Objective, hear
from training.published.order import Position
from training.published.recipe import Recipe
from training.published.samples import Batch
from training.published.schedule import factor
from training.published.start import frozen_parts, trained
from training.published.validation import Seen
from training.words import Said, Told

SELECT_BY, UNUSABLE = "val_recall_mean_10", "val_unusable"


class InTraining(LightningModule):
    """model: from `training.published.start.new_model`; it gets dropout and an aim, which act in training only.

    said: what is said in the pairs of the training, for a recipe that tells it
    """

    def __init__(self, model: SpeechClip, recipe: Recipe, said: Said | None = None) -> None:
        super().__init__()
        self._said = said
        self._told: Told | None = None
        """What is said in the batch of now, where that is known."""
        self.model, self.recipe, self.position = model, recipe, Position()
        self.objective = Objective(recipe.loss)
        self.strict_loading = False  # checkpoints are without what is frozen
        self._seen = Seen()
        add_dropout(model, recipe.dropout, recipe.cif_dropout)
        add_hubert_dropout(model, recipe.hubert_dropout)
        if model.config.cascaded and model.cascaded_branch.cif:
            add_aim(
                model.cascaded_branch.cif,
                self._wanted,
                lambda: self._told is not None or self.global_step < recipe.loss.scaling_steps,
            )

    def train(self, mode: bool = True) -> InTraining:
        """What is frozen stays in evaluation mode, but for a HuBERT that is to forget by chance."""
        super().train(mode)
        for part in frozen_parts(self.model):
            part.eval()
        if self.recipe.hubert_dropout:
            self.model.audio_encoder.hubert.train(mode)
        return self

    def configure_optimizers(self) -> Any:
        settings = self.recipe.optimiser
        learning = [parameter for parameter in self.parameters() if parameter.requires_grad]
        adam = torch.optim.Adam(learning, settings.rate, weight_decay=settings.weight_decay)
        rates = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: factor(step, settings))
        return {"optimizer": adam, "lr_scheduler": {"scheduler": rates, "interval": "step"}}

    def parts(
        self, batch: Batch | FeatureBatch, together: bool, told: Told | None = None
    ) -> tuple[Heard, Tensor, dict[str, Tensor]]:
        """What was heard, the images' vectors and the losses."""
        frames, images = self._encoded(batch)
        self._told = told
        heard = hear(self.model, frames, self.recipe.semantics, self._wanted(frames.lengths))
        return heard, images, self.objective(heard, images, batch.ids, together, told)

    def _wanted(self, lengths: Tensor) -> Tensor:
        """(B,) frames -> (B,) keywords: as many as there are words, or as there usually are in so many frames."""
        usual = aim(lengths, self.recipe.loss.frames_per_keyword)
        if self._told is None:
            return usual
        counts = self._told.counts.to(usual.dtype)
        return torch.where(counts > 0, counts, usual)

    def _encoded(self, batch: Batch | FeatureBatch) -> tuple[Frames, Tensor]:
        """By HuBERT and CLIP, now or before."""
        encoder = self.model.audio_encoder
        if isinstance(batch, FeatureBatch):
            states = [layer.float() for layer in batch.states]
            return Frames(states, encoder.mix(states), batch.lengths), batch.vectors
        with torch.no_grad():
            images = self.model.embed_images(batch.images)
        return encoder(batch.waves, batch.lengths, self.recipe.semantics), images

    def training_step(self, batch: Batch | FeatureBatch) -> Tensor:
        # So that what is forgotten by chance depends on the number of the batch, and on nothing that went before.
        torch.manual_seed(_seed(self.recipe.seed, self.position.batches, world()[0]))
        told = None if self._said is None else self._said(batch.places).to(batch.ids.device)
        _, _, losses = self.parts(batch, together=True, told=told)
        self.position.batches += 1
        self._tell(losses, batch)
        return losses["loss"]

    def _tell(self, losses: dict[str, Tensor], batch: Batch | FeatureBatch) -> None:
        self.log("loss", losses["loss"].detach(), prog_bar=True, batch_size=len(batch.ids))
        others = {name: value.detach() for name, value in losses.items() if name != "loss"}
        others["temperature"] = 1 / self.objective.contrastive.temperature.detach().exp()
        others["unusable"] = torch.tensor(float(len(batch.unusable)))
        self.log_dict(others, batch_size=len(batch.ids))

    def on_validation_epoch_start(self) -> None:
        self._seen = Seen()

    def validation_step(self, batch: Batch | FeatureBatch | None) -> None:
        if batch is None:
            return
        heard, images, losses = self.parts(batch, together=False)
        self._seen.add(batch.places, batch.ids, heard.vectors[self.model.config.search_branch], images)
        self.log("val_loss", losses["loss"], on_epoch=True, sync_dist=True, batch_size=len(batch.ids))

    def on_validation_epoch_end(self) -> None:
        seen, self._seen = self._seen.by_all(), Seen()
        self._require_some(seen)
        for name, percent in seen.recalls().items():
            self.log(f"val_{name}", percent, prog_bar=f"val_{name}" == SELECT_BY, rank_zero_only=False)

    def _require_some(self, seen: Seen) -> None:
        """Raises `TrainingError` where there is nothing that could choose the best checkpoint."""
        loader: Any = self.trainer.val_dataloaders
        unusable = len(loader.dataset) - seen.pairs
        if not seen.pairs:
            raise TrainingError(f"none of the {unusable:,} pairs to validate with can be used")
        self.log(UNUSABLE, float(unusable), rank_zero_only=False)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["state_dict"] = trained(self)
        checkpoint["batches"] = self.position.batches

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.position.batches = checkpoint["batches"]


def load_trained(module: nn.Module, state: dict[str, Tensor]) -> None:
    """What `trained` gave. Raises `ValueError` unless it is exactly that of this module."""
    if state.keys() != trained(module).keys():
        raise ValueError("the checkpoint is of another model")
    module.load_state_dict(state, strict=False)


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
