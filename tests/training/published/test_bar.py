"""How far a training is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from training.published.bar import Bar


@pytest.mark.parametrize(("step", "told"), [(0, "1 of 3"), (3, "1 of 3"), (4, "2 of 3"), (9, "3 of 3"), (12, "3 of 3")])
def test_epochs_are_counted_by_the_steps_alone(step: int, told: str) -> None:
    bar = Bar(10, 4)
    trainer: Any = SimpleNamespace(global_step=step, num_training_batches=8)
    bar._trainer = trainer

    assert bar._get_train_description(7) == f"Epoch {told}"
    assert bar.total_train_batches == 8
