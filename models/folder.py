"""Model folders: `config.json`, `model.safetensors`, `vocabulary.json` and `README.md` (the model card)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import isfile  # pathlib's raises where a name is too long
from pathlib import Path

import torch
from pydantic import NonNegativeInt, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.config import ModelConfig
from models.errors import ModelFolderError
from models.speechclip import SpeechClip

CONFIG, WEIGHTS, VOCABULARY, CARD = "config.json", "model.safetensors", "vocabulary.json", "README.md"
SHIPPED = Path(__file__).parent
_HASH_CHUNK = 1 << 20
_IDS = TypeAdapter(list[NonNegativeInt])


@dataclass(frozen=True)
class ModelFolder:
    """A folder that has every file. `vocabulary`: reduced sub-word id -> id of CLIP's byte-pair encoding."""

    path: Path
    config: ModelConfig
    vocabulary: Sequence[int]
    fingerprint: str

    def load(self) -> SpeechClip:
        """The network in evaluation mode, float32, on the CPU. Raises `ModelFolderError`."""
        model = SpeechClip(self.config)
        try:
            tensors = load_file(self.path / WEIGHTS)
        except SafetensorError as error:
            raise ModelFolderError(f"{self.path / WEIGHTS} is damaged: {error}") from error
        if unsound := _unsound(tensors):
            raise ModelFolderError(f"{self.path / WEIGHTS} is damaged: {unsound} has values that are no numbers")
        try:
            model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except RuntimeError as error:
            raise ModelFolderError(f"{self.path / WEIGHTS} does not fit {CONFIG}: {error}") from error
        return model.eval()


def find_model(name_or_path: str) -> ModelFolder:
    """A shipped model by name, or a model folder by path. Raises `ModelFolderError`."""
    shipped = SHIPPED / name_or_path
    plain = name_or_path.replace("-", "").replace("_", "").isalnum()
    path = shipped if plain and isfile(shipped / CONFIG) else Path(name_or_path)
    missing = [file for file in (CONFIG, WEIGHTS, VOCABULARY) if not isfile(path / file)]
    if missing:
        known = ", ".join(sorted(folder.parent.name for folder in SHIPPED.glob(f"*/{CONFIG}")))
        raise ModelFolderError(f"no model {name_or_path!r}: {', '.join(missing)} not found (shipped models: {known})")
    config = _config(path / CONFIG)
    return ModelFolder(path, config, _vocabulary(path / VOCABULARY, config), fingerprint(path))


def save_model(model: SpeechClip, path: Path, vocabulary: Sequence[int], card: str, half: bool = False) -> None:
    """Write a model folder; with `half` weights are stored as float16. Raises `ValueError` if they do not fit."""
    stored = torch.float16 if half else torch.float32
    tensors = {name: tensor.detach().to(stored).contiguous() for name, tensor in model.state_dict().items()}
    if unsound := _unsound(tensors):
        raise ValueError(f"{unsound} has values that are no numbers in {stored}")
    path.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path / WEIGHTS)
    (path / CONFIG).write_text(model.config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (path / VOCABULARY).write_text(json.dumps(list(vocabulary)) + "\n", encoding="utf-8")
    (path / CARD).write_text(card, encoding="utf-8")


def fingerprint(path: Path) -> str:
    """SHA-256 over everything that decides what an embedding is: configuration, vocabulary and weights."""
    digest = hashlib.sha256()
    for name in (CONFIG, VOCABULARY, WEIGHTS):
        with (path / name).open("rb") as file:
            while chunk := file.read(_HASH_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _unsound(tensors: Mapping[str, Tensor]) -> str | None:
    """The first tensor with an infinite value or one that is no number."""
    return next((name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())), None)


def _config(path: Path) -> ModelConfig:
    try:
        return ModelConfig.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ModelFolderError(f"{path} is not a valid model configuration: {error}") from error


def _vocabulary(path: Path, config: ModelConfig) -> Sequence[int]:
    try:
        ids = _IDS.validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        raise ModelFolderError(f"{path} must be a list of sub-word ids: {error}") from error
    if wrong := [number for number in ids if number >= config.clip.text.vocab_size]:
        raise ModelFolderError(f"{path} names sub-word {wrong[0]}, but {CONFIG} has {config.clip.text.vocab_size}")
    return ids
