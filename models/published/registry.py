"""Published models: what they are called here, where a hub keeps them, and what they must turn out to be."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from models.errors import RegistryError, UnknownModel

RELEASED = Path(__file__).with_name("released.toml")
MOST_BYTES = 1 << 20  # of a registry file; the one that ships has 8 KiB

# Two parts, so that no name is that of a shipped model; no "+", which means a space where a name stands in a query.
_PART = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?"
NAME = re.compile(rf"{_PART}/{_PART}")
_REPOSITORY = re.compile(r"(?![\w.-]*(?:--|\.\.))(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9](?:[\w.-]*\w)?", re.ASCII)

Size = Annotated[int, Field(gt=0)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Recall(_Section):
    """Published validation recall in per cent, the mean of speech -> image and image -> speech; and who says so."""

    at: Size
    percent: Annotated[float, Field(ge=0, le=100)]
    source: Text


class PublishedModel(_Section):
    """One checkpoint in the authors' layout on a hub.

    hubert, clip, trained_on: for people. branch, embedding_size, hidden_size (of HuBERT), layers (of HuBERT): what the
    checkpoint must turn out to be.
    """

    name: Annotated[str, Field(max_length=96)]
    repository: Annotated[str, Field(max_length=96)]
    file: Text
    branch: Literal["parallel", "cascaded", "hybrid", "cascaded+", "hybrid+"]
    hubert: Text
    clip: Text
    trained_on: Text
    embedding_size: Size
    hidden_size: Size
    layers: Size
    recall: Recall | None = None

    @field_validator("name")
    @classmethod
    def _two_plain_parts(cls, name: str) -> str:
        if not is_name(name):
            raise ValueError("must be two parts of a-z, 0-9, '.', '_' and '-' with a '/' between them")
        return name

    @field_validator("repository")
    @classmethod
    def _possible_on_a_hub(cls, repository: str) -> str:
        if not _REPOSITORY.fullmatch(repository) or repository.endswith(".git"):
            raise ValueError("must be the name of a repository, such as 'speechclip/models'")
        return repository

    @field_validator("file")
    @classmethod
    def _inside_the_repository(cls, file: str) -> str:
        if {"", ".", ".."} & set(file.split("/")) or not file.isprintable() or "\\" in file:
            raise ValueError("must be a path inside the repository, such as 'base/model.ckpt'")
        return file


class _File(_Section):
    models: tuple[PublishedModel, ...]

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        names = [model.name for model in self.models]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]!r} is there twice")
        return self


@dataclass(frozen=True)
class Registry:
    """Published models by name."""

    models: Mapping[str, PublishedModel]

    def get(self, name: str) -> PublishedModel:
        """Raises `UnknownModel`, which names those that are called nearly so."""
        if name in self.models:
            return self.models[name]
        near = get_close_matches(name, self.models, n=3)
        hint = f"did you mean {_either(near)}?" if near else "`speechclip models list` shows them all"
        raise UnknownModel(f"no published model is called {name!r}: {hint}")


def is_name(text: str) -> bool:
    """Whether a published model may be called so. What is a name is a safe relative path, too."""
    return NAME.fullmatch(text) is not None


def load_registry(path: Path | None = None) -> Registry:
    """The released models, and those of a registry file, which go before released ones of the same name.

    Raises `RegistryError`.
    """
    files = (RELEASED,) if path is None else (RELEASED, path)
    return Registry({model.name: model for file in files for model in _read(file)})


def _read(path: Path) -> Iterable[PublishedModel]:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise RegistryError(f"the registry {path} cannot be read: {getattr(error, 'strerror', error)}") from error
    if len(data) > MOST_BYTES:
        raise RegistryError(f"the registry {path} is larger than {MOST_BYTES} bytes")
    try:
        return _File.model_validate(tomllib.loads(data.decode())).models
    except ValidationError as error:
        raise RegistryError(f"the registry {path} is not valid: {_first(error)}") from error
    except (ValueError, RecursionError) as error:  # of the decoding and of TOML
        raise RegistryError(f"the registry {path} is not TOML: {error}") from error


def _first(error: ValidationError) -> str:
    """What is wrong first, with the place of the model in the file counted from 1."""
    found = error.errors()[0]
    where = ".".join(str(part + 1) if isinstance(part, int) else part for part in found["loc"])
    return f"{where}: {found['msg']}" if where else found["msg"]


def _either(names: list[str]) -> str:
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]
