"""Stages 3 and 5 on a few words of humming."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.hubert import Frames
from tests.training.fake_voices import tone
from tests.training.tiny_pairs import tiny_keywords, tiny_pairs
from tests.training.tiny_recipe import tiny_recipe
from training.nano import speech_stages
from training.nano.batches import Batch, BatchStream, SpokenCorpus
from training.nano.ctc import PhonemeLoss
from training.nano.keyword_loss import KeywordLoss
from training.nano.listener import Listener
from training.nano.pairs import PairLoss
from training.nano.speech import Utterance
from training.nano.speech_stages import Objective, listening, train_speech, tuning

pytestmark = [
    pytest.mark.usefixtures("exact_arithmetic"),
    # From Python 3.12 on, a fork beside other threads is warned of; torch has some.
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]

PHRASES = ["cat", "dog", "heart"]
SEED = 3
Corpus = tuple[SpokenCorpus, NDArray[np.float64]]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    waves = [(tone(phrase, 0.3 + 0.1 * n) * 32_767).astype(np.int16) for phrase in PHRASES for n in range(3)]
    starts = np.cumsum([0, *map(len, waves)])
    rows = [Utterance(PHRASES[n // 3], "hum/plain", int(starts[n]), len(wave)) for n, wave in enumerate(waves)]
    return SpokenCorpus([(np.concatenate(waves), rows)]), np.ones(len(rows))


@pytest.fixture(scope="module")
def phonemes() -> PhonemeLoss:
    return PhonemeLoss(PHRASES, {phrase: tuple(phrase) for phrase in PHRASES})


@pytest.fixture
def listener(phonemes: PhonemeLoss) -> Listener:
    return fresh(phonemes)


def fresh(phonemes: PhonemeLoss) -> Listener:
    torch.manual_seed(SEED)
    return Listener(tiny_recipe().model, phonemes.symbols)


class Noted:
    """An objective that keeps the losses of every step, and which step it was; it can be killed at one of them."""

    def __init__(self, objective: Objective, killed_at: int | None = None) -> None:
        self.objective, self.killed_at = objective, killed_at
        self.numbers: list[int] = []
        self.losses: list[dict[str, float]] = []

    def __call__(self, frames: Frames, batch: Batch, rng: np.random.Generator) -> Mapping[str, Tensor]:
        states = [np.random.default_rng((SEED, number)).bit_generator.state for number in range(100)]
        number = states.index(rng.bit_generator.state)
        if number == self.killed_at:
            raise KeyboardInterrupt
        losses = self.objective(frames, batch, rng)
        self.numbers.append(number)
        self.losses.append({name: loss.item() for name, loss in losses.items()})
        return losses

    def mean(self, part: slice) -> float:
        return float(np.mean([sum(losses.values()) for losses in self.losses[part]]))


def test_listening_makes_the_loss_fall(
    listener: Listener, phonemes: PhonemeLoss, corpus: Corpus, tmp_path: Path
) -> None:
    noted = Noted(listening(listener, phonemes))
    train_speech(tmp_path / "listen.pt", listener, noted, corpus, tiny_recipe(45).listen, SEED)

    assert noted.numbers == list(range(45))
    assert noted.mean(slice(-5, None)) < 0.6 * noted.mean(slice(5))


@pytest.fixture
def pairs() -> PairLoss:
    return tiny_pairs(PHRASES)


@pytest.fixture
def keywords() -> KeywordLoss:
    return tiny_keywords(PHRASES)


def test_tuning_makes_the_loss_fall_and_goes_on_listening(
    listener: Listener, phonemes: PhonemeLoss, pairs: PairLoss, keywords: KeywordLoss, corpus: Corpus, tmp_path: Path
) -> None:
    noted = Noted(tuning(listener, phonemes, [pairs], keywords))
    train_speech(tmp_path / "tune.pt", listener, noted, corpus, tiny_recipe(30).tune, SEED)

    assert set(noted.losses[0]) == {"pairs", "ctc", "words", "quantity"}
    assert noted.mean(slice(-5, None)) < 0.8 * noted.mean(slice(5))


def test_tuning_weighs_its_losses(
    listener: Listener, phonemes: PhonemeLoss, pairs: PairLoss, keywords: KeywordLoss, corpus: Corpus
) -> None:
    waves = torch.from_numpy(np.stack([tone(phrase, 0.4) for phrase in PHRASES]))
    batch = Batch(waves, torch.full((3,), waves.shape[1]), torch.arange(3))
    with torch.no_grad():
        frames = listener.frames(batch)
        found = tuning(listener, phonemes, [pairs], keywords)(frames, batch, np.random.default_rng(0))
        ctc = phonemes(listener, frames, batch.phrases)
        told = keywords(listener, frames, batch.phrases)
        pair = pairs(listener.embed(frames), listener.scale.exp(), batch.phrases, np.random.default_rng(0))

    assert found["ctc"].item() == pytest.approx(speech_stages.CTC_WEIGHT * ctc.item())
    assert found["pairs"].item() == pytest.approx(pair.item())
    assert {name: found[name].item() for name in told} == {name: pytest.approx(told[name].item()) for name in told}


@pytest.fixture
def train(phonemes: PhonemeLoss, corpus: Corpus, tmp_path: Path) -> Callable[[Listener, int | None], Noted]:
    """Listen for six steps, going on from what is there, up to a kill."""

    def run(listener: Listener, killed_at: int | None) -> Noted:
        noted = Noted(listening(listener, phonemes), killed_at)
        train_speech(tmp_path / "listen.pt", listener, noted, corpus, tiny_recipe(6).listen, SEED)
        return noted

    return run


def test_an_interrupted_stage_goes_on_at_the_step_it_had_saved(
    train: Callable[[Listener, int | None], Noted], phonemes: PhonemeLoss, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_stages, "SAVE_EVERY", 2)
    with pytest.raises(KeyboardInterrupt):
        train(fresh(phonemes), 5)
    resumed = fresh(phonemes)

    assert train(resumed, None).numbers == [4, 5]
    finished = fresh(phonemes)
    assert train(finished, None).numbers == []
    assert torch.equal(finished.phonemes.weight, resumed.phonemes.weight)


def test_a_resumed_stage_hears_other_batches_than_those_it_has_heard(
    train: Callable[[Listener, int | None], Noted], phonemes: PhonemeLoss, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    class Seen(BatchStream):
        def __init__(self, corpus: SpokenCorpus, size: int, seed: int, weights: NDArray[np.float64] | None) -> None:
            seeds.append(seed)
            super().__init__(corpus, size, seed, weights)

    monkeypatch.setattr(speech_stages, "SAVE_EVERY", 2)
    monkeypatch.setattr(speech_stages, "BatchStream", Seen)
    with pytest.raises(KeyboardInterrupt):
        train(fresh(phonemes), 3)
    train(fresh(phonemes), None)

    assert seeds == [SEED, SEED + 2]


def test_the_same_seed_gives_the_same_network(phonemes: PhonemeLoss, corpus: Corpus, tmp_path: Path) -> None:
    listeners = [fresh(phonemes), fresh(phonemes)]
    for n, listener in enumerate(listeners):
        objective = listening(listener, phonemes)
        train_speech(tmp_path / f"{n}.pt", listener, objective, corpus, tiny_recipe(3).listen, SEED)

    assert torch.equal(*[listener.phonemes.weight for listener in listeners])


def test_progress_is_told_in_plain_lines(
    train: Callable[[Listener, int | None], Noted],
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(speech_stages, "SAVE_EVERY", 3)
    noted = train(listener, None)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("listen ") and "s a step" in line]

    assert [line.partition(":")[0] for line in lines] == ["listen 3", "listen 6"]
    assert f"ctc {noted.mean(slice(3)):.3f}" in lines[0]
    assert f"ctc {noted.mean(slice(3, 6)):.3f}" in lines[1]


def test_figures_are_reported_now_and_then_and_at_the_end(
    listener: Listener,
    phonemes: PhonemeLoss,
    corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(speech_stages, "REPORT_EVERY", 2)
    judged: list[Listener] = []

    def report(network: Listener) -> Mapping[str, object]:
        judged.append(network)
        return {"recall": len(judged)}

    objective = listening(listener, phonemes)
    train_speech(tmp_path / "tune.pt", listener, objective, corpus, tiny_recipe(5).listen, SEED, report)

    assert judged == [listener] * 3
    assert "tune 5 {'recall': 3}" in capsys.readouterr().out
