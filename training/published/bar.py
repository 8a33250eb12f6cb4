"""How far a training is: Lightning by itself counts up to an epoch that it does not know, as the steps decide."""

from __future__ import annotations

import math

from training.published.lightning import RichProgressBar


class Bar(RichProgressBar):
    """steps: of the training; an_epoch: steps in one."""

    def __init__(self, steps: int, an_epoch: int) -> None:
        super().__init__()
        self._an_epoch, self._epochs = an_epoch, math.ceil(steps / an_epoch)

    @property
    def total_train_batches(self) -> int | float:
        return self.trainer.num_training_batches

    def _get_train_description(self, current_epoch: int) -> str:
        # Lightning's own count goes up with every time that a training goes on.
        number = min(self.trainer.global_step // self._an_epoch + 1, self._epochs)
        return f"{f'Epoch {number} of {self._epochs}':{len(self.validation_description)}}"
