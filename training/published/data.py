"""The pairs of a training, as Lightning wants them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from models.clip import ImagePreprocessor
from models.config import VisionConfig
from training.datasets import Dataset, open_dataset
from training.published.errors import TrainingError
from training.published.gather import world
from training.published.lightning import LightningDataModule
from training.published.order import InOrder, Position, Shuffled
from training.published.recipe import Recipe
from training.published.samples import Samples, collate


@dataclass(frozen=True)
class Splits:
    """What is learnt from, and what chooses the best checkpoint."""

    training: Dataset
    validation: Dataset

    @classmethod
    def open(cls, kind: str, root: Path, recipe: Recipe) -> Splits:
        """Raises `DatasetError`, and `TrainingError` where there is too little for a step or a validation."""
        splits = cls(*(open_dataset(kind, root, split) for split in _names(recipe)))
        pairs, batch, accumulate = len(splits.training.pairs), recipe.data.batch, recipe.data.accumulate
        if pairs < batch * accumulate:
            raise TrainingError(
                f"{splits.training.name} has {pairs:,} pairs to train with, and one step takes {batch * accumulate:,} "
                "(data.batch times data.accumulate)"
            )
        if len(splits.validation.pairs) <= (recipe.devices - 1) * recipe.data.validation_batch:
            raise TrainingError(
                f"{splits.validation.name} has {len(splits.validation.pairs):,} pairs to validate with, too few for "
                f"{recipe.devices} devices with data.validation_batch={recipe.data.validation_batch}"
            )
        return splits

    @property
    def missing(self) -> int:
        """Files that are named and cannot be used."""
        return sum(len(split.missing) + len(split.unreadable) for split in (self.training, self.validation))


def _names(recipe: Recipe) -> tuple[str, str]:
    return recipe.data.train_split, recipe.data.validation_split


class Batches(LightningDataModule):
    """position: where training stands, from where it goes on."""

    def __init__(self, splits: Splits, recipe: Recipe, vision: VisionConfig, position: Position) -> None:
        super().__init__()
        self._splits, self._recipe, self._position = splits, recipe, position
        self._pixels = ImagePreprocessor(vision)

    @property
    def an_epoch(self) -> int:
        return len(self._splits.training.pairs) // self._recipe.data.batch

    def train_dataloader(self) -> DataLoader[Any]:
        pairs, data, seed = self._splits.training.pairs, self._recipe.data, self._recipe.seed
        order = Shuffled(len(pairs), data.batch, seed, self._position, *world())
        return self._loader(Samples(pairs, self._pixels, data.most_samples, seed), order)

    def val_dataloader(self) -> DataLoader[Any]:
        pairs, data = self._splits.validation.pairs, self._recipe.data
        order = InOrder(len(pairs), data.validation_batch, *world())
        return self._loader(Samples(pairs, self._pixels, None, self._recipe.seed), order)

    def _loader(self, samples: Samples, order: Shuffled | InOrder) -> DataLoader[Any]:
        loader: DataLoader[Any] = DataLoader(
            samples,
            batch_sampler=order,
            num_workers=self._recipe.data.workers,
            collate_fn=collate,
            persistent_workers=self._recipe.data.workers > 0,
        )
        return loader
