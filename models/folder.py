"""Model folders: `config.json`, `model.safetensors`, `vocabulary.json` and `README.md` (the model card)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import isfile  # pathlib's raises where a name is too long
from pathlib import Path

import torch
from pydantic import NonNegativeInt, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.config import ModelConfig
from models.errors import ModelFolderError
from models.published.shelf import (
    CARD,
    CONFIG,
    FILES,
    SHIPPED,
    VOCABULARY,
    WEIGHTS,
    find_pulled,
    fingerprint,
    shipped_names,
)
from models.speechclip import SpeechClip
from models.tensor_file import write_tensors

_IDS = TypeAdapter(list[NonNegativeInt])


@dataclass(frozen=True)
class ModelFolder:
    """A folder that has every file. `vocabulary`: reduced sub-word id -> id of CLIP's byte-pair encoding."""

    path: Path
    config: ModelConfig
    vocabulary: Sequence[int]
    fingerprint: str

    def load(self) -> SpeechClip:
        """The network in evaluation mode, float32, on the CPU. Raises `ModelFolderError`.

        Weights that are stored in float32 are mapped, not copied: processes share them, and the file must not be
        written to while they are in use (replacing it is fine).
        """
        tensors = self._tensors()
        with torch.device("meta"):
            model = SpeechClip(self.config, self.vocabulary)
        kinds = {name: tensor.dtype for name, tensor in model.state_dict().items()}
        tensors = {name: tensor.to(kinds.get(name, tensor.dtype)) for name, tensor in tensors.items()}
        try:
            model.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            raise ModelFolderError(f"{self.path / WEIGHTS} does not fit {CONFIG}: {error}") from error
        _fill_mask(model)
        return model.eval()

    def _tensors(self) -> dict[str, Tensor]:
        try:
            tensors = load_file(self.path / WEIGHTS)
        except SafetensorError as error:
            raise ModelFolderError(f"{self.path / WEIGHTS} is damaged: {error}") from error
        except OSError as error:
            raise _unreadable(self.path / WEIGHTS, error) from error
        if unsound := find_unsound(tensors):
            raise ModelFolderError(f"{self.path / WEIGHTS} is damaged: {unsound} has values that are no numbers")
        return tensors


def find_model(name_or_path: str, models: Path | None = None) -> ModelFolder:
    """A model pulled into the folder `models` or a shipped one by name, or a model folder by path.

    Raises `ModelFolderError`.
    """
    shipped = SHIPPED / name_or_path
    plain = name_or_path.replace("-", "").replace("_", "").isalnum()
    path = shipped if plain and isfile(shipped / CONFIG) else Path(name_or_path)
    if models is not None:
        path = find_pulled(models, name_or_path) or path
    if missing := [file for file in FILES if not isfile(path / file)]:
        known = ", ".join(shipped_names())
        raise ModelFolderError(f"no model {name_or_path!r}: {', '.join(missing)} not found (shipped models: {known})")
    try:
        config = _config(path / CONFIG)
        return ModelFolder(path, config, _vocabulary(path / VOCABULARY, config), fingerprint(path))
    except OSError as error:
        raise _unreadable(path, error) from error


def save_model(model: SpeechClip, path: Path, vocabulary: Sequence[int], card: str, half: bool = False) -> None:
    """Write a model folder; with `half` weights are stored as float16. Raises `ValueError` if they do not fit."""
    stored = torch.float16 if half else torch.float32
    tensors = {name: _stored(tensor.detach(), stored) for name, tensor in model.state_dict().items()}
    if unsound := find_unsound(tensors):
        raise ValueError(f"{unsound} has values that are no numbers in {stored}")
    path.mkdir(parents=True, exist_ok=True)
    write_tensors(path / WEIGHTS, tensors)
    write_texts(path, model.config, vocabulary, card)


def write_texts(path: Path, config: ModelConfig, vocabulary: Sequence[int], card: str) -> None:
    """All of a model folder but its weights."""
    (path / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (path / VOCABULARY).write_text(json.dumps(list(vocabulary)) + "\n", encoding="utf-8")
    (path / CARD).write_text(card, encoding="utf-8")


def find_unsound(tensors: Mapping[str, Tensor]) -> str | None:
    """The first tensor with an infinite value or one that is no number."""
    return next((name for name, tensor in tensors.items() if not _is_sound(tensor)), None)


def _is_sound(tensor: Tensor) -> bool:
    # One that is no number is both the least and the greatest; and nothing as large as the tensor is made.
    return not tensor.numel() or not tensor.is_floating_point() or bool(torch.stack(tensor.aminmax()).isfinite().all())


def _stored(tensor: Tensor, kind: torch.dtype) -> Tensor:
    return tensor.to(kind).contiguous() if tensor.is_floating_point() else tensor.contiguous()


def _fill_mask(model: SpeechClip) -> None:
    """CLIP's texts see only what is before: the one part of the network that is in no file."""
    size = model.config.clip.text.context_length
    model.clip.attn_mask = torch.full((size, size), -torch.inf).triu_(1)


def _unreadable(path: Path, error: OSError) -> ModelFolderError:
    return ModelFolderError(f"{error.filename or path} cannot be read: {error.strerror or error}")


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
    if config.cascaded and len(ids) != config.cascaded.vocabulary_size:
        raise ModelFolderError(f"{path} has {len(ids)} sub-words, but {CONFIG} {config.cascaded.vocabulary_size}")
    return ids
