"""The model before its first step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.folder import ModelFolder, find_model
from models.speechclip import SpeechClip
from tests.tiny_model import VOCABULARY, BranchName, save_tiny_model
from tests.training.published.tiny_training import fresh, recipe, settings, tiny_start
from training.published.errors import RecipeError, TrainingError
from training.published.recipe import Recipe
from training.published.start import find_start, new_model, trained


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return tiny_start(tmp_path_factory.mktemp("start") / "tiny")


def test_hubert_and_clip_are_those_of_the_start_and_learn_nothing(start: ModelFolder) -> None:
    model, _ = fresh(start, "hybrid")
    there, here = start.load().state_dict(), model.state_dict()

    frozen = [name for name in there if name.startswith(("audio_encoder.hubert.", "clip."))]
    assert all(torch.equal(there[name], here[name]) for name in frozen)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name.partition(".")[0] for name in learning} == {"audio_encoder", "cascaded_branch"}
    assert {name for name in learning if name.startswith("audio_encoder")} == {"audio_encoder.layer_weights"}


def test_everything_else_is_new_and_follows_the_seed(start: ModelFolder) -> None:
    (one, _), (same, _), (other, _) = (
        fresh(start, "parallel"),
        fresh(start, "parallel"),
        fresh(start, "parallel", seed=1),
    )
    weights = [model.parallel_branch.linear_proj.weight for model in (one, same, other)]

    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], start.load().parallel_branch.linear_proj.weight)
    assert not one.audio_encoder.layer_weights.any()


def test_the_dice_of_others_are_left_alone(start: ModelFolder) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    fresh(start, "cascaded")

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("branch", ["cascaded", "hybrid+"])
def test_keywords_start_on_the_scale_of_sub_words(start: ModelFolder, branch: str) -> None:
    model, _ = fresh(start, "cascaded" if branch == "cascaded" else "hybrid+")
    norm = model.cascaded_branch.keyword_norm.norm
    repeats = 4 if branch == "cascaded" else 1

    assert torch.equal(norm.weight, model.subwords.std(0).repeat_interleave(repeats))
    assert torch.equal(norm.bias, model.subwords.mean(0).repeat_interleave(repeats))


def test_what_is_trained_has_the_running_figures_too(start: ModelFolder) -> None:
    model, _ = fresh(start, "cascaded")
    names = set(trained(model))

    assert "cascaded_branch.keyword_norm.norm.running_mean" in names
    assert not any(".hubert." in name or name.startswith("clip.") for name in names)


def test_a_start_of_other_sizes_is_refused(start: ModelFolder) -> None:
    told = recipe(start.path, model__parallel={"heads": 3})

    with pytest.raises(RecipeError, match=r"does not fit .*audio.hidden_size must be a multiple of parallel.heads"):
        new_model(told, start, VOCABULARY)


def test_a_start_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no model 'nowhere'"):
        find_start("nowhere", tmp_path)


def test_a_hubert_that_never_forgot_is_not_made_to(tmp_path: Path) -> None:
    """HuBERT large has no dropout, and no place for it where HuBERT base has one."""
    large = find_model(str(save_tiny_model(tmp_path / "large", "large")))

    with pytest.raises(RecipeError, match=r"hubert_dropout must be 0 with .*large"):
        new_model(recipe(large.path, hubert_dropout=0.1), large, VOCABULARY)


HEAD = {"head": "transformer", "heads": 2, "ffn_size": 32, "keywords": 4}


def begun(start: ModelFolder, branch: BranchName, head: str = "start") -> SpeechClip:
    """With a branch that has parts of the sizes of the start's."""
    told = settings(start.path, branch, head=head)
    if branch != "parallel":
        told["model"]["cascaded"] |= HEAD
    return new_model(Recipe.model_validate(told), start, VOCABULARY)


@pytest.mark.parametrize("branch", ["parallel", "cascaded", "hybrid", "hybrid+"])
def test_a_branch_can_begin_as_that_of_the_start(start: ModelFolder, branch: BranchName) -> None:
    model, source = begun(start, branch), start.load()
    own = model.parallel_branch.self_att if branch == "parallel" else model.cascaded_branch.self_att
    theirs = source.parallel_branch.self_att.state_dict()

    assert all(torch.equal(tensor, theirs[name]) for name, tensor in own.state_dict().items())
    assert all(parameter.requires_grad for parameter in own.parameters())
    assert torch.equal(model.audio_encoder.layer_weights, source.audio_encoder.layer_weights)


@pytest.mark.parametrize("branch", ["hybrid", "hybrid+"])
def test_keywords_can_be_learned_beside_a_branch_that_stays(start: ModelFolder, branch: BranchName) -> None:
    model = begun(start, branch, "kept")

    assert not any(".self_att." in name or "parallel" in name or "layer_weights" in name for name in trained(model))
    assert any("keyword_proj" in name for name in trained(model))


def test_what_a_kept_branch_answers_stays_where_no_keywords_are_among_what_it_hears(start: ModelFolder) -> None:
    model, source = begun(start, "hybrid+", "kept"), start.load()
    wave, length = torch.sin(torch.arange(4000) / 5)[None], torch.tensor([4000])
    told, before = (one.eval().embed_speech(wave, length, branch="parallel") for one in (model, source))
    assert torch.allclose(told, before, atol=1e-6)


def test_a_head_of_other_sizes_is_refused(start: ModelFolder) -> None:
    with pytest.raises(RecipeError, match=r"head=start needs a branch of the same sizes"):
        new_model(recipe(start.path, model__parallel={"heads": 2, "ffn_size": 48}, head="start"), start, VOCABULARY)


def test_a_head_needs_a_start_that_has_one(tmp_path: Path) -> None:
    start = find_model(str(save_tiny_model(tmp_path / "keywords", branch="cascaded")))

    with pytest.raises(RecipeError, match=r"head=start needs a start with a parallel branch"):
        new_model(recipe(start.path, head="start"), start, VOCABULARY)
