"""Why a training cannot begin, or cannot go on."""

from __future__ import annotations

from training.errors import NotReady


class RecipeError(NotReady):
    """A recipe that cannot be read, or that asks for what is not possible; the message says which setting."""


class TrainingError(NotReady):
    """The recipe is fine, but not with this data, this machine or this folder."""
