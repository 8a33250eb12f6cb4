"""Lightning, made importable beside a CPU build of torch: it brings torchvision."""

from __future__ import annotations

from models import compat

compat.prepare()

from lightning.fabric.utilities.warnings import PossibleUserWarning  # noqa: E402
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer  # noqa: E402  as said above
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar  # noqa: E402
from lightning.pytorch.loggers import TensorBoardLogger  # noqa: E402
from lightning.pytorch.utilities.exceptions import SIGTERMException  # noqa: E402

__all__ = [
    "Callback",
    "LightningDataModule",
    "LightningModule",
    "ModelCheckpoint",
    "PossibleUserWarning",
    "RichProgressBar",
    "SIGTERMException",
    "TensorBoardLogger",
    "Trainer",
]
