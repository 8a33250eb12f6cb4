"""Each step of the encoder switched off alone: the same vectors, and the step is on again afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import full_size
from bench.full_size import RandomModel
from bench.steps import measured, switches
from models.folder import ModelFolder
from tests.tiny_model import VOCABULARY, BranchName, Style, tiny_config


def tiny(style: Style, branch: BranchName) -> ModelFolder:
    return RandomModel(Path(), tiny_config(style, branch), VOCABULARY, "tiny", 1)


@pytest.mark.parametrize(
    ("style", "branch", "count"),
    [("base", "parallel", 6), ("base", "cascaded", 8), ("large", "parallel", 5), ("large", "cascaded", 7)],
)
def test_without_a_step_vectors_are_the_same(style: Style, branch: BranchName, count: int) -> None:
    rows = measured(tiny(style, branch), seconds=4.0, precision="fp32", rounds=1, seed=1)

    assert [row[""].split(":")[0] for row in rows] == ["all steps", *["without"] * count]
    assert all(abs(row["cosine error"]) < 1e-5 for row in rows)


def test_a_step_is_off_while_it_is_measured_and_no_longer() -> None:
    encoder = full_size.encoder(tiny("base", "cascaded"))

    for step in switches(encoder):
        part = getattr(step.owner, step.attribute)
        with step.off():
            assert getattr(step.owner, step.attribute) is step.plain
        assert getattr(step.owner, step.attribute) == part
