"""The model before the first step: HuBERT and CLIP as they are, everything else new."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from models.errors import ModelFolderError
from models.folder import ModelFolder, find_model
from models.published.registry import is_name
from models.speechclip import SpeechClip
from training.published.errors import RecipeError, TrainingError
from training.published.recipe import Recipe, told


def find_start(name_or_path: str, models: Path) -> ModelFolder:
    """A model that was pulled into the folder `models`, a shipped one, or a model folder. Raises `TrainingError`."""
    try:
        return find_model(name_or_path, models)
    except ModelFolderError as error:
        hint = f"; fetch it with `speechclip models pull {name_or_path}`" if is_name(name_or_path) else ""
        raise TrainingError(f"HuBERT and CLIP are to be those of {name_or_path}, but {error}{hint}") from error


def new_model(recipe: Recipe, start: ModelFolder, vocabulary: Sequence[int]) -> SpeechClip:
    """The same for the same recipe, start and vocabulary. Raises `RecipeError` where they do not fit together."""
    try:
        config = recipe.model.config(recipe.name, start.config, len(vocabulary))
    except ValidationError as error:
        raise RecipeError(f"the recipe {recipe.name} does not fit {recipe.start}: {told(error)}") from None
    if recipe.hubert_dropout and config.audio.pre_norm:
        raise RecipeError(
            f"hubert_dropout must be 0 with {recipe.start}: like HuBERT large, it was trained without any"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = SpeechClip(config, vocabulary)
        source = start.load()
    if recipe.head != "new":
        _take_head(model, source, recipe)
    if recipe.head == "kept":
        for parameter in _head(model).values():
            parameter.requires_grad_(False)
    for part, there in zip(frozen_parts(model), frozen_parts(source), strict=True):
        part.load_state_dict(there.state_dict())
        part.requires_grad_(False)
    if config.cascaded:
        model.cascaded_branch.keyword_norm.start_at(model.subwords)
    return model


@torch.no_grad()
def _take_head(model: SpeechClip, source: SpeechClip, recipe: Recipe) -> None:
    """The branch begins as the parallel branch of the start."""
    if "parallel" not in source.config.branches:
        raise RecipeError(f"head={recipe.head} needs a start with a parallel branch, and {recipe.start} has none")
    theirs = _head(source)
    for name, tensor in _head(model).items():
        if name not in theirs or theirs[name].shape != tensor.shape:
            raise RecipeError(f"head={recipe.head} needs a branch of the same sizes as that of {recipe.start}")
        tensor.copy_(theirs[name])


def _head(model: SpeechClip) -> dict[str, nn.Parameter]:
    """By what they are for, in any branch: the weights of HuBERT's layers, and all that makes one vector of it."""
    found: dict[str, nn.Parameter] = {"layers": model.audio_encoder.layer_weights}
    if model.config.cascaded is None:
        branch: nn.Module = model.parallel_branch
        names = {"cls": "token", "self_att": "attention", "linear_proj": "projection"}
    else:
        branch = model.cascaded_branch
        names = {"parallel_cls": "token", "self_att": "attention", "parallel_proj": "projection"}
    for name, parameter in branch.named_parameters():
        part, dot, rest = name.partition(".")
        if part in names:
            found[names[part] + dot + rest] = parameter
    return found


def frozen_parts(model: SpeechClip) -> Sequence[nn.Module]:
    """What is not trained."""
    return model.audio_encoder.hubert, model.clip


def trained(model: nn.Module) -> dict[str, Tensor]:
    """All of a state that training changes, by name: not the parameters that are frozen."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}
