"""Recipes as TOML files, `extends` and `key=value` included."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from training.published.errors import RecipeError
from training.published.recipe import Recipe, told

RECIPES = Path(__file__).with_name("recipes")
EXTENDS = "extends"


def recipe_names() -> list[str]:
    """Of the recipes that ship with the project."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load_recipe(name_or_path: str, changes: Sequence[str] = ()) -> Recipe:
    """A recipe that ships, or a file, with `key=value` or `section.key=value` changed. Raises `RecipeError`.

    A file with `extends`, the name of a recipe that ships or a path from its own folder, has only what is different.
    """
    settings = _settings(_path(name_or_path, Path()), ())
    for change in changes:
        _change(settings, change)
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        raise RecipeError(f"the recipe {name_or_path} cannot be: {told(error)}") from None


def _path(name_or_path: str, folder: Path) -> Path:
    return RECIPES / f"{name_or_path}.toml" if name_or_path in recipe_names() else folder / name_or_path


def _settings(path: Path, extending: tuple[Path, ...]) -> dict[str, Any]:
    """extending: the files that led here."""
    settings = _read(path)
    base = settings.pop(EXTENDS, None)
    if base is None:
        return settings
    if not isinstance(base, str) or path.resolve() in extending:
        raise RecipeError(f"{path}: {EXTENDS} must name another recipe, and not this one again")
    return _merged(_settings(_path(base, path.parent), (*extending, path.resolve())), settings)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(
            f"the recipe {str(path)!r} cannot be read ({error.strerror}); there are {', '.join(recipe_names())}"
        ) from None
    except ValueError as error:  # no TOML, or not even text
        raise RecipeError(f"{path} is no recipe: {error}") from None


def _merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in more.items():
        inner = merged.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        merged[key] = _merged(inner, value) if both else value  # type: ignore[arg-type]
    return merged


def _change(settings: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    *sections, last = key.split(".")
    if not equals or not all([*sections, last]):
        raise RecipeError(f"{change!r} is no setting; one is written as key=value or section.key=value")
    for section in sections:
        inner = settings.setdefault(section, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"{change!r}: {section} has no settings of its own")
        settings = inner
    settings[last] = _value(value)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
