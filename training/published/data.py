"""The pairs of a training, as Lightning wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from models.clip import ImagePreprocessor
from models.config import VisionConfig
from training.datasets import Dataset, Pair, open_dataset
from training.published.errors import TrainingError
from training.published.features.batches import collate_features
from training.published.features.planned import Features
from training.published.gather import world
from training.published.lightning import LightningDataModule
from training.published.order import InOrder, Position, Shuffled
from training.published.recipe import Recipe
from training.published.samples import FromFiles, Samples, Unusable, collate


@dataclass(frozen=True)
class Splits:
    """What is learnt from, and what chooses the best checkpoint."""

    training: Dataset
    validation: Dataset

    @classmethod
    def open(cls, kind: str, root: Path, recipe: Recipe) -> Splits:
        """Raises `DatasetError`, and `TrainingError` where there is too little for a step or a validation."""
        together = recipe.data.train_split
        names = [together] if isinstance(together, str) else together
        splits = cls(
            joined([open_dataset(kind, root, name) for name in names]),
            open_dataset(kind, root, recipe.data.validation_split),
        )
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


def require_some(dataset: Dataset, vision: VisionConfig) -> None:
    """Raises `TrainingError` where nothing of it can be used; one pair that can be is enough."""
    load, reason = FromFiles(dataset.pairs, ImagePreprocessor(vision), None, 0), ""
    for place in range(len(dataset.pairs)):
        try:
            load((place, 0))
        except Unusable as unusable:
            reason = reason or str(unusable)
        else:
            return
    raise TrainingError(f"nothing of {dataset.name}, split {dataset.split}, can be used: {reason}")


def joined(parts: Sequence[Dataset]) -> Dataset:
    """Splits as one. What has the same id in two of them is two images."""
    if len(parts) == 1:
        return parts[0]
    ids = dict[tuple[int, int], int]()
    pairs = [
        replace(pair, image_id=ids.setdefault((number, pair.image_id), len(ids)))
        for number, part in enumerate(parts)
        for pair in part.pairs
    ]
    missing = [name for part in parts for name in part.missing]
    unreadable = [name for part in parts for name in part.unreadable]
    return Dataset(parts[0].name, " and ".join(part.split for part in parts), pairs, missing, unreadable)


class Batches(LightningDataModule):
    """position: where training stands, from where it goes on; features: they are trained from, not the files."""

    def __init__(
        self, splits: Splits, recipe: Recipe, vision: VisionConfig, position: Position, features: Features | None
    ) -> None:
        super().__init__()
        self._splits, self._recipe, self._position, self._features = splits, recipe, position, features
        self._pixels = ImagePreprocessor(vision)

    @property
    def an_epoch(self) -> int:
        return len(self._splits.training.pairs) // self._recipe.data.batch

    def train_dataloader(self) -> DataLoader[Any]:
        pairs, data, seed = self._splits.training.pairs, self._recipe.data, self._recipe.seed
        order = Shuffled(len(pairs), data.batch, seed, self._position, *world())
        files = FromFiles(pairs, self._pixels, data.most_samples, seed)
        load = files if self._features is None else self._features.training
        return self._loader(Samples[Any](load, _ids(pairs), replaced=True), order)

    def val_dataloader(self) -> DataLoader[Any]:
        pairs, data = self._splits.validation.pairs, self._recipe.data
        order = InOrder(len(pairs), data.validation_batch, *world())
        files = FromFiles(pairs, self._pixels, None, self._recipe.seed)
        load = files if self._features is None else self._features.validation
        return self._loader(Samples[Any](load, _ids(pairs), replaced=False), order)

    def _loader(self, samples: Samples[Any], order: Shuffled | InOrder) -> DataLoader[Any]:
        loader: DataLoader[Any] = DataLoader(
            samples,
            batch_sampler=order,
            num_workers=self._recipe.data.workers,
            collate_fn=collate if self._features is None else collate_features,
            persistent_workers=self._recipe.data.workers > 0,
        )
        return loader


def _ids(pairs: Sequence[Pair]) -> list[int]:
    return [pair.image_id for pair in pairs]
