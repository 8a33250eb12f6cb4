"""Stage 4: the head learns on frozen features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.hubert import Frames
from tests.training.fake_voices import tone
from tests.training.tiny_pairs import tiny_pairs
from tests.training.tiny_recipe import tiny_recipe
from training.nano import frozen
from training.nano.batches import BatchStream, SpokenCorpus
from training.nano.frozen import FrozenBatch, freeze, train_head
from training.nano.listener import Listener
from training.nano.optimiser import Optimiser
from training.nano.pairs import PairLoss
from training.nano.speech import Utterance

pytestmark = [
    pytest.mark.usefixtures("exact_arithmetic"),
    # From Python 3.12 on, a fork beside other threads is warned of; torch has some.
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]

PHRASES = ["cat", "dog", "heart"]
SEED = 3


def fresh() -> Listener:
    torch.manual_seed(SEED)
    return Listener(tiny_recipe().model, 4)


@pytest.fixture(scope="module")
def corpus() -> SpokenCorpus:
    waves = [(tone(phrase, 0.4) * 32_767).astype(np.int16) for phrase in PHRASES]
    rows = [Utterance(phrase, "hum/plain", n * len(waves[0]), len(waves[0])) for n, phrase in enumerate(PHRASES)]
    return SpokenCorpus([(np.concatenate(waves), rows)])


@pytest.fixture
def batches() -> Sequence[FrozenBatch]:
    """Features from which one can tell what was said."""
    random = torch.Generator().manual_seed(0)
    kinds = torch.randn(3, 1, 16, generator=random)
    made = []
    for _ in range(4):
        phrases = torch.randint(0, 3, (8,), generator=random)
        features = kinds[phrases] + 0.3 * torch.randn(8, 6, 16, generator=random)
        made.append(FrozenBatch(features.bfloat16(), torch.full((8,), 6), phrases))
    return made


@pytest.fixture
def pairs() -> PairLoss:
    return tiny_pairs(PHRASES)


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The loss of every step from here on."""
    made: list[float] = []
    step = Optimiser.step

    def noted(self: Optimiser, loss: Tensor, number: int) -> float:
        made.append(loss.item())
        return step(self, loss, number)

    monkeypatch.setattr(Optimiser, "step", noted)
    return made


def test_features_are_those_of_the_batches_that_are_heard(corpus: SpokenCorpus) -> None:
    listener, weights = fresh(), np.ones(3)
    made = freeze(listener, (corpus, weights), batches=2, size=4, seed=SEED)

    assert len(made) == 2
    for batch, heard in zip(made, BatchStream(corpus, 4, SEED, weights), strict=False):
        with torch.no_grad():
            expected = listener.frames(heard)
        assert torch.equal(batch.phrases, heard.phrases)
        assert torch.equal(batch.frames().lengths, expected.lengths)
        assert batch.frames().features.dtype == torch.float32
        torch.testing.assert_close(batch.frames().features, expected.features, rtol=0.05, atol=0.1)


def test_features_do_not_lead_back_into_the_encoder(corpus: SpokenCorpus) -> None:
    (batch,) = freeze(fresh(), (corpus, np.ones(3)), batches=1, size=4, seed=SEED)

    assert not batch.features.requires_grad


def test_the_loss_falls(batches: Sequence[FrozenBatch], pairs: PairLoss, tmp_path: Path, losses: list[float]) -> None:
    train_head(tmp_path / "align.pt", fresh(), batches, pairs, tiny_recipe(40).align, SEED)

    assert len(losses) == 40
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_only_the_head_and_the_temperature_learn(
    batches: Sequence[FrozenBatch], pairs: PairLoss, tmp_path: Path
) -> None:
    listener, before = fresh(), fresh().state_dict()
    train_head(tmp_path / "align.pt", listener, batches, pairs, tiny_recipe(3).align, SEED)
    after = listener.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}

    head = tuple(f"cascaded_branch.{part}" for part in ("parallel_", "self_att."))
    assert changed == {name for name in before if name.startswith(head) or name == "scale"}


def test_an_interrupted_stage_goes_on_to_the_very_same_end(
    batches: Sequence[FrozenBatch], pairs: PairLoss, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "SAVE_EVERY", 3)
    stage = tiny_recipe(10).align
    whole, cut, resumed = fresh(), fresh(), fresh()
    train_head(tmp_path / "whole.pt", whole, batches, pairs, stage, SEED)
    step = Optimiser.step

    def killed_at_8(self: Optimiser, loss: Tensor, number: int) -> float:
        if number == 8:
            raise KeyboardInterrupt
        return step(self, loss, number)

    with monkeypatch.context() as patch:
        patch.setattr(Optimiser, "step", killed_at_8)
        with pytest.raises(KeyboardInterrupt):
            train_head(tmp_path / "cut.pt", cut, batches, pairs, stage, SEED)
    train_head(tmp_path / "cut.pt", resumed, batches, pairs, stage, SEED)

    assert torch.equal(*(one.state_dict()["cascaded_branch.parallel_proj.weight"] for one in (whole, resumed)))
    assert whole.scale.item() == resumed.scale.item()


def test_progress_is_told_as_the_mean_since_the_last_line(
    batches: Sequence[FrozenBatch],
    pairs: PairLoss,
    tmp_path: Path,
    losses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(frozen, "SAVE_EVERY", 3)
    train_head(tmp_path / "align.pt", fresh(), batches, pairs, tiny_recipe(5).align, SEED)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("align ") and "pairs" in line]

    told = [line.split(",")[0] for line in lines]
    assert told == [f"align 3: pairs {np.mean(losses[:3]):.3f}", f"align 5: pairs {np.mean(losses[3:]):.3f}"]


def test_every_batch_is_seen_once_a_round(
    batches: Sequence[FrozenBatch], pairs: PairLoss, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[FrozenBatch] = []
    frames = FrozenBatch.frames

    def note(self: FrozenBatch) -> Frames:
        seen.append(self)
        return frames(self)

    monkeypatch.setattr(FrozenBatch, "frames", note)
    train_head(tmp_path / "align.pt", fresh(), batches, pairs, tiny_recipe(8).align, SEED)

    assert {id(batch) for batch in seen[:4]} == {id(batch) for batch in seen[4:]} == {id(batch) for batch in batches}
