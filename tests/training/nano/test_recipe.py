"""nano's recipe."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from models.speechclip import SpeechClip
from training.nano.drawings import SIZE
from training.nano.recipe import Recipe, Stage

MOST_MEGABYTES = 24  # of weights in the repository, as float16


def test_the_model_is_small_enough_to_ship() -> None:
    model = SpeechClip(Recipe().model_of(9), range(9))
    weights = sum(tensor.numel() for tensor in model.state_dict().values())

    assert 2 * weights / 1e6 < MOST_MEGABYTES


def test_the_model_sees_drawings_as_they_are_rendered() -> None:
    assert Recipe().model.clip.vision.image_size == SIZE


def test_a_tenth_of_a_second_is_heard_as_some_frame() -> None:
    assert Recipe().model.audio.frame_count(1_600) >= 1


def test_a_recipe_survives_being_written_down() -> None:
    recipe = Recipe(seed=1)

    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_what_is_no_part_of_a_recipe_is_refused() -> None:
    with pytest.raises(ValidationError, match="momentum"):
        Stage.model_validate({"steps": 1, "batch": 1, "matrix_rate": 1, "rate": 1, "momentum": 1})
