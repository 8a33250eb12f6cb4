"""The model folders of this machine by name. Only configurations are read, so that it is quick and needs no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from os.path import isfile  # pathlib's raises where a name is too long
from pathlib import Path

import platformdirs
from pydantic import ValidationError

from models.config import ModelConfig
from models.published.registry import is_name

SHIPPED = Path(__file__).resolve().parents[1]
CONFIG, WEIGHTS, VOCABULARY, CARD = "config.json", "model.safetensors", "vocabulary.json", "README.md"
FILES = (CONFIG, WEIGHTS, VOCABULARY)

_HASH_CHUNK = 1 << 20


@dataclass(frozen=True)
class Shelved:
    """A model folder. bytes: of all its files; config: None where it is incomplete or cannot be read."""

    name: str
    path: Path
    bytes: int
    config: ModelConfig | None
    card: str


def default_data() -> Path:
    """The user's own data folder, by the platform's custom (``~/.local/share/speechclip-search`` on Linux)."""
    return platformdirs.user_data_path("speechclip-search", appauthor=False)


def models_below(data: Path) -> Path:
    """The folder of pulled models in a data folder."""
    return data / "models"


def find_pulled(models: Path, name: str) -> Path | None:
    """The folder of the model called `name` (such as "speechclip/parallel-base-flickr") below the folder `models`.

    None if it is not there, or not completely. Anything may be asked for: what is no such name is not there.
    """
    path = models / name
    return path if is_name(name) and all(isfile(path / file) for file in FILES) else None


def find_shipped(name: str) -> Path | None:
    """The folder of the model of that name that ships with the project."""
    return SHIPPED / name if name in shipped_names() else None


def fingerprint(path: Path) -> str:
    """SHA-256 over everything that decides what an embedding is: configuration, vocabulary and weights."""
    digest = hashlib.sha256()
    for name in (CONFIG, VOCABULARY, WEIGHTS):
        with (path / name).open("rb") as file:
            while chunk := file.read(_HASH_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def read_card(path: Path) -> str:
    """The model card of a model folder, in Markdown; empty where it has none that can be read."""
    try:
        return (path / CARD).read_text("utf-8", errors="replace") if isfile(path / CARD) else ""
    except OSError:
        return ""


def shipped_names() -> list[str]:
    return sorted(config.parent.name for config in SHIPPED.glob(f"*/{CONFIG}"))


def shipped() -> Iterator[Shelved]:
    """The models that ship with the project, by name."""
    for name in shipped_names():
        yield _shelved(name, SHIPPED / name)


def pulled(models: Path) -> Iterator[Shelved]:
    """The models below the folder `models`, by name: pulled ones, and others that somebody put there."""
    for config in sorted(models.glob(f"*/*/{CONFIG}")):
        name = config.parent.relative_to(models).as_posix()
        if is_name(name):
            yield _shelved(name, config.parent)


def _shelved(name: str, path: Path) -> Shelved:
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    complete = all(isfile(path / file) for file in FILES)
    return Shelved(name, path, size, _config(path) if complete else None, read_card(path))


def _config(path: Path) -> ModelConfig | None:
    try:
        return ModelConfig.model_validate_json((path / CONFIG).read_bytes())
    except (ValidationError, OSError):
        return None
