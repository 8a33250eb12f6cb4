"""Whole trainings, from a corpus to a model folder."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.encoder import load_encoder
from models.folder import find_model
from tests.patience import WAIT_S
from tests.tiny_model import BRANCHES, BranchName, save_tiny_model
from tests.training.published.tiny_training import training, write_corpus
from training.errors import DatasetError
from training.published.errors import TrainingError
from training.published.lightning import Callback
from training.published.run import Training, train

# Of Lightning's own code, about itself.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:lightning")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("here") / "corpus")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("start"), branch="cascaded")


def run(what: Training, *callbacks: Callback) -> tuple[Path, list[str]]:
    said = list[str]()
    folder = train(what, said.append, progress=False, callbacks=callbacks)
    assert folder is not None
    return folder, said


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(find_model(str(folder)).load().state_dict())


def different(one: Mapping[Any, torch.Tensor], other: Mapping[Any, torch.Tensor]) -> list[object]:
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


@pytest.mark.parametrize("branch", BRANCHES)
def test_every_variant_becomes_a_model_that_embeds(
    branch: BranchName, corpus: Path, start: Path, tmp_path: Path
) -> None:
    folder, said = run(training(corpus, start, tmp_path / "out", branch, optimiser__steps=3))
    encoder = load_encoder(str(folder))

    assert said == []
    assert encoder.name == f"tiny-{branch}"
    for wanted in encoder.branches:
        vectors = encoder.embed_speech([np.ones(4_000, np.float32)], wanted).vectors
        assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-5)
    assert "validation recall at 10" in (folder / "README.md").read_text()
    assert list((tmp_path / "out" / "tensorboard").glob("events.*"))


def test_only_what_is_on_top_of_hubert_and_clip_changes(corpus: Path, start: Path, tmp_path: Path) -> None:
    folder, _ = run(training(corpus, start, tmp_path / "out", "cascaded", optimiser__steps=3))
    before, after = weights(start), weights(folder)

    frozen = [name for name in before if name.startswith(("audio_encoder.hubert.", "clip."))]
    assert frozen
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    assert after["audio_encoder.layer_weights"].any()


class Killed(Callback):
    """As by the system when memory runs out: nothing is done any more.

    after: so many batches; in_validation: in the validation after that, where there is one
    """

    def __init__(self, after: int, in_validation: bool) -> None:
        self._after, self._in_validation = after, in_validation

    def on_train_batch_start(self, trainer: Any, *_: object) -> None:
        self._kill(trainer, False)

    def on_validation_batch_start(self, trainer: Any, *_: object) -> None:
        self._kill(trainer, True)

    def _kill(self, trainer: Any, in_validation: bool) -> None:
        if in_validation == self._in_validation and trainer.fit_loop.total_batch_idx + 1 == self._after:
            os.kill(os.getpid(), signal.SIGKILL)


ACCUMULATED = {"data__accumulate": 2, "optimiser__steps": 4}
FEATURES = {"features": "float16", "semantics": "independent", "data__most_samples": 100_000}


@pytest.mark.parametrize(
    ("after", "in_validation", "changes"),
    [
        (2, False, {}),  # batches; there are three in an epoch
        (3, False, {}),
        (5, False, {}),
        (6, True, {}),
        (8, True, {}),  # the last one
        (4, False, ACCUMULATED),
        (5, False, ACCUMULATED),
        (5, False, {"save_every": 100}),
        (2, False, {"save_every": 100}),
        (5, False, FEATURES),
        (4, False, {"hubert_dropout": 0.1}),
    ],
)
def test_a_training_that_was_killed_ends_with_the_same_weights(
    after: int, in_validation: bool, changes: dict[str, Any], corpus: Path, start: Path, tmp_path: Path
) -> None:
    whole, _ = run(training(corpus, start, tmp_path / "whole", "hybrid+", **changes))
    cut = training(corpus, start, tmp_path / "cut", "hybrid+", **changes)
    process = multiprocessing.get_context("fork").Process(target=run, args=(cut, Killed(after, in_validation)))
    process.start()
    process.join(WAIT_S)
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "cut" / "model").exists()
    resumed, _ = run(cut)

    assert different(weights(whole), weights(resumed)) == []
    ends = [torch.load(tmp_path / out / "checkpoints" / "last.ckpt", weights_only=True) for out in ("whole", "cut")]
    assert [end["global_step"] for end in ends] == [changes.get("optimiser__steps", 8)] * 2
    assert different(*(end["state_dict"] for end in ends)) == []
    for state in ("exp_avg", "exp_avg_sq"):
        moments = [end["optimizer_states"][0]["state"] for end in ends]
        assert different(*({number: one[state] for number, one in all.items()} for all in moments)) == []


class Terminated(Callback):
    """As by a machine that is shut down, in the middle of the batch after so many."""

    def __init__(self, after: int) -> None:
        self._after = after

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, number: int) -> None:
        if trainer.fit_loop.total_batch_idx == self._after:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("after", "changes", "told"),
    [(4, {}, "goes on from {last}"), (1, {"save_every": 100}, "begins anew, as there is no checkpoint yet")],
)
def test_a_training_that_was_ended_is_not_done(
    after: int, changes: dict[str, Any], told: str, corpus: Path, start: Path, tmp_path: Path
) -> None:
    what, said = training(corpus, start, tmp_path / "out", **changes), tmp_path / "said"
    process = multiprocessing.get_context("fork").Process(
        target=train, args=(what, said.write_text, False, (Terminated(after),))
    )
    process.start()
    process.join(WAIT_S)

    assert process.exitcode == 143
    last = tmp_path / "out" / "checkpoints" / "last.ckpt"
    assert said.read_text() == f"Ended by SIGTERM; the same command {told.format(last=last)}"
    assert run(what)[0].is_dir()


class NoHubert(Callback):
    """HuBERT and CLIP's image tower cannot run any more."""

    def on_fit_start(self, trainer: Any, module: Any) -> None:
        def gone(*_: object) -> None:
            raise RuntimeError("a frozen network has run")

        module.model.audio_encoder.hubert.feature_projection.register_forward_pre_hook(gone)
        module.model.clip.visual.register_forward_pre_hook(gone)


@pytest.mark.parametrize("branch", BRANCHES)
def test_from_features_the_heads_are_all_that_runs(
    branch: BranchName, corpus: Path, start: Path, tmp_path: Path
) -> None:
    what = training(corpus, start, tmp_path / "out", branch, optimiser__steps=3, **FEATURES)
    folder, said = run(replace(what, features=tmp_path / "shared"), NoHubert())

    assert [line.partition(" go ")[0] for line in said] == ["13 utterances and 8 images"]
    assert load_encoder(str(folder)).embed_speech([np.ones(4_000, np.float32)]).vectors.any()
    again = replace(what, features=tmp_path / "shared", out=tmp_path / "again")
    other, said = run(again, NoHubert())
    assert said == []
    assert different(weights(folder), weights(other)) == []


def test_features_end_nearly_where_files_do(corpus: Path, start: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {**FEATURES, "optimiser__steps": 3}
    from_features, _ = run(training(corpus, start, tmp_path / "features", "hybrid", **changes))
    from_files, _ = run(training(corpus, start, tmp_path / "files", "hybrid", **{**changes, "features": "none"}))

    one, other = weights(from_features), weights(from_files)
    for name in one:  # Adam's first steps are as long for small gradients as for large ones
        torch.testing.assert_close(one[name].float(), other[name].float(), rtol=0.05, atol=0.03)


def test_utterances_that_would_be_cut_are_refused_before_anything_is_written(
    corpus: Path, start: Path, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {**FEATURES, "data__most_samples": 6_000}
    with pytest.raises(TrainingError, match="would be cut at another place every time"):
        run(training(corpus, start, tmp_path / "out", **changes))

    assert not (tmp_path / "out").exists()


def test_checkpoints_are_without_what_is_frozen(corpus: Path, start: Path, tmp_path: Path) -> None:
    run(training(corpus, start, tmp_path / "out", keep=2))
    found = sorted(path.name for path in (tmp_path / "out" / "checkpoints").iterdir())

    assert "last.ckpt" in found
    assert "least_loss.ckpt" in found
    assert len([name for name in found if name.startswith("step_")]) == 2
    saved = torch.load(tmp_path / "out" / "checkpoints" / "last.ckpt", weights_only=True)
    assert not any(".hubert." in name or ".clip." in name for name in saved["state_dict"])


@pytest.mark.parametrize("changes", [{}, {"data__accumulate": 2}])
def test_the_last_step_is_validated_and_kept_in_the_middle_of_an_epoch_too(
    changes: dict[str, Any], corpus: Path, start: Path, tmp_path: Path
) -> None:
    run(training(corpus, start, tmp_path / "out", keep=10, optimiser__steps=5, **changes))
    checkpoints = tmp_path / "out" / "checkpoints"
    validated = sorted(path.name.partition("-")[0] for path in checkpoints.glob("step_*"))

    assert validated == (["step_2", "step_4", "step_5"] if changes else ["step_3", "step_5"])
    assert torch.load(checkpoints / "last.ckpt", weights_only=True)["global_step"] == 5


def test_a_folder_is_of_one_training(corpus: Path, start: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(training(corpus, start, out, optimiser__steps=3))
    with pytest.raises(TrainingError, match="this training is done"):
        run(training(tmp_path / "gone", start, out, optimiser__steps=3))
    (out / "model").rename(tmp_path / "moved")
    with pytest.raises(TrainingError, match=r"another recipe: optimiser.steps, seed differ"):
        run(training(corpus, start, out, optimiser__steps=4, seed=1))


def test_what_is_impossible_is_refused_before_anything_is_written(corpus: Path, start: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(TrainingError, match="13 pairs to train with, and one step takes 14"):
        run(training(corpus, start, out, data__batch=14))
    with pytest.raises(TrainingError, match="5 pairs to validate with, too few for 4 devices"):
        run(training(corpus, start, out, devices=4))
    with pytest.raises(DatasetError, match="no split"):
        run(training(corpus, start, out, data__validation_split="films"))
    with pytest.raises(TrainingError, match="`speechclip models pull speechclip/parallel-base-flickr`"):
        run(training(corpus, Path("speechclip/parallel-base-flickr"), out))
    assert not out.exists()


def test_half_precision_of_a_gpu_needs_one(
    corpus: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(TrainingError, match="precision=16-mixed needs a GPU"):
        run(training(corpus, start, tmp_path / "out", precision="16-mixed"))


def spoil(corpus: Path, *numbers: int) -> Path:
    for number in numbers:
        (corpus / f"val-{number}.wav").write_bytes(b"no audio")
    return corpus


@pytest.mark.parametrize("changes", [{}, FEATURES])
def test_what_a_validation_goes_without_is_told_once(changes: dict[str, Any], start: Path, tmp_path: Path) -> None:
    corpus = spoil(write_corpus(tmp_path / "corpus"), 0, 2, 3)  # the second batch of two is all of it
    _, said = run(training(corpus, start, tmp_path / "out", optimiser__steps=6, **changes))

    assert [line for line in said if "every validation" in line] == [
        "3 pairs to validate with cannot be used and are left out of every validation; "
        "`speechclip data check --decode` lists them"
    ]


@pytest.mark.parametrize("changes", [{}, FEATURES])
def test_without_anything_to_validate_with_nothing_is_written(
    changes: dict[str, Any], start: Path, tmp_path: Path
) -> None:
    corpus = spoil(write_corpus(tmp_path / "corpus"), *range(5))
    with pytest.raises(TrainingError, match=r"split val, can be used: val-0\.wav"):
        run(training(corpus, start, tmp_path / "out", **changes))
    assert not (tmp_path / "out").exists()


def test_files_that_spoil_in_the_middle_end_a_training_in_words(start: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")

    class Spoilt(Callback):
        def on_validation_start(self, *_: object) -> None:
            spoil(corpus, *range(5))

    with pytest.raises(TrainingError, match="none of the 5 pairs to validate with can be used"):
        run(training(corpus, start, tmp_path / "out"), Spoilt())


def test_what_is_missing_is_told(start: Path, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    (corpus / "train-3.wav").unlink()
    _, said = run(training(corpus, start, tmp_path / "out", optimiser__steps=3))

    assert said == ["1 files are missing or cannot be used; `speechclip data check` lists them"]
