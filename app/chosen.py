"""Which model folder is meant by the model of the settings."""

from __future__ import annotations

from os.path import lexists

from app.settings import Settings
from models.errors import ModelNotPulled
from models.published.registry import is_name, load_registry
from models.published.shelf import find_pulled


def chosen_model(settings: Settings) -> str:
    """What `models.folder.find_model` takes for it: the folder of a pulled model, else the name or path as it is.

    Raises `ModelNotPulled` for a published model that is not here, and `RegistryError`.
    """
    model = settings.model
    if here := find_pulled(settings.models, model):
        return str(here)
    if is_name(model) and not lexists(model) and model in load_registry(settings.registry).models:
        raise ModelNotPulled(f"the model {model} is not here yet: `speechclip models pull {model}` brings it")
    return model
