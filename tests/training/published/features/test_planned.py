"""From a corpus to its features."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.folder import ModelFolder
from models.speechclip import SpeechClip
from tests.audio_files import encode, tone
from tests.training.published.tiny_training import fresh, tiny_start, write_corpus
from training.datasets import open_dataset
from training.published.errors import TrainingError
from training.published.features.planned import Features, Planned
from training.published.samples import FromFiles, Unusable, Wave

MOST = 16_000


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return tiny_start(tmp_path_factory.mktemp("start") / "tiny")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus")


@pytest.fixture
def model(start: ModelFolder) -> SpeechClip:
    return fresh(start, "parallel")[0]


def planned(model: SpeechClip, corpus: Path, most: int = MOST) -> Planned:
    training, validation = (open_dataset("manifest", corpus, split) for split in ("train", "val"))
    return Planned.of(model, "float16", corpus.parent / "features", (training, validation), most)


def made(plan: Planned) -> tuple[Features, list[str]]:
    said = list[str]()
    return plan.carry_out(said.append, progress=False), said


def test_the_size_is_told_before_and_true(model: SpeechClip, corpus: Path) -> None:
    plan = planned(model, corpus)
    assert not plan.folder.exists()
    _, said = made(plan)

    size = sum(path.stat().st_size for path in plan.folder.glob("*.data"))
    assert size == plan.survey.bytes
    assert said == [
        "13 utterances and 8 images go through HuBERT and CLIP once; "  # those of the validation are among them
        f"what comes out takes {size / 1e3:.1f} kB in {plan.folder}"
    ]


def test_what_is_there_is_not_made_again(model: SpeechClip, corpus: Path) -> None:
    made(planned(model, corpus))
    again = planned(model, corpus)

    assert (again.survey.speech, again.survey.images, again.survey.bytes) == ({}, {}, 0)
    assert made(again)[1] == []


def test_there_is_a_bar_for_what_is_to_be_made_alone(
    model: SpeechClip, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(planned(model, corpus))
    (corpus / "train-3.wav").write_bytes(encode(tone(0.5, 16_000, 90), 16_000, "wav-16"))
    planned(model, corpus).carry_out(lambda line: None, progress=True)
    shown = capsys.readouterr().out

    assert "speech" in shown
    assert "images" not in shown


def test_a_file_that_has_changed_is_heard_again_and_no_other(model: SpeechClip, corpus: Path) -> None:
    made(planned(model, corpus))
    (corpus / "train-3.wav").write_bytes(encode(tone(0.5, 16_000, 90), 16_000, "wav-16"))
    again = planned(model, corpus)

    assert [source.name for source in again.survey.speech.values()] == ["train-3.wav"]


def test_a_kill_costs_no_more_than_what_was_in_the_making(
    model: SpeechClip, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.published.features.fill._AT_ONCE", 4)
    plan, heard = planned(model, corpus), list[int]()
    hear = plan.survey.encoders.hear

    def killed(wave: Wave) -> NDArray[np.int16]:
        if len(heard) == 10:
            raise KeyboardInterrupt
        heard.append(len(wave))
        return hear(wave)

    monkeypatch.setattr(plan.survey.encoders, "hear", killed)
    with pytest.raises(KeyboardInterrupt):
        made(plan)

    assert len(planned(model, corpus).survey.speech) == 13 - 8


def test_a_file_that_changes_meanwhile_is_no_one_else_s_feature(model: SpeechClip, corpus: Path) -> None:
    plan = planned(model, corpus)
    (corpus / "train-3.wav").write_bytes(encode(tone(0.5, 16_000, 90), 16_000, "wav-16"))

    with pytest.raises(TrainingError, match=r"train-3.wav has changed since"):
        made(plan)


def test_what_cannot_be_used_is_told_as_without_features(model: SpeechClip, corpus: Path) -> None:
    (corpus / "train-0.wav").write_bytes(b"no audio")
    (corpus / "train-4.png").write_bytes(b"no image")
    plan = planned(model, corpus)
    features, _ = made(plan)

    for place in (0, 8, 9):
        with pytest.raises(Unusable) as reason:
            features.training((place, 0))
        pairs = open_dataset("manifest", corpus, "train").pairs
        with pytest.raises(Unusable) as without:
            FromFiles(pairs, plan.survey.pixels, MOST, 0)((place, 0))
        assert str(reason.value) == str(without.value)
    assert features.training((1, 0))[0].shape[1] > 0


def test_utterances_that_would_be_cut_at_random_are_refused_when_they_are_known_too(
    model: SpeechClip, corpus: Path
) -> None:
    told = "2 of 13 utterances are longer than data.most_samples=8000 .* choose data.most_samples=8640 or features=none"
    with pytest.raises(TrainingError, match=told):
        planned(model, corpus, most=8_000)
    made(planned(model, corpus, most=8_640))
    with pytest.raises(TrainingError, match=told):
        planned(model, corpus, most=8_000)


def test_what_does_not_fit_is_refused(model: SpeechClip, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1_000))

    with pytest.raises(TrainingError, match=r"features take [\d.]+ kB, and 1.0 kB are left in .*features"):
        planned(model, corpus)


def test_a_folder_that_cannot_be_is_told(model: SpeechClip, corpus: Path) -> None:
    (corpus.parent / "features").write_text("a file")

    with pytest.raises(TrainingError, match="cannot be"):
        made(planned(model, corpus))
