"""Writes checkpoints as the authors' training does, foreign classes included."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from models.official_keys import FULL_TABLE, REDUCED_TABLE, official_name
from models.speechclip import SpeechClip

NAMESPACE = ("avssl.base.ordered_namespace", "OrderedNamespace")
LOGGER = ("pytorch_lightning.loggers.wandb", "WandbLogger")


def official_content(model: SpeechClip, vocabulary: list[int]) -> dict[str, Any]:
    """What a checkpoint of `model` holds, with settings as plain dicts."""
    tensors = {official_name(name, model.config): tensor for name, tensor in model.state_dict().items()}
    tensors[FULL_TABLE] = tensors[REDUCED_TABLE]
    tensors[REDUCED_TABLE] = tensors[FULL_TABLE][vocabulary]
    tensors["criterion.eye_mat"] = torch.eye(3, dtype=torch.bool)
    tensors["audio_encoder.encoder.label_embs_concat"] = torch.zeros(5, 4)
    tensors["audio_encoder.encoder.final_proj.weight"] = torch.zeros(4, 16)
    return {
        "epoch": 1,
        "pytorch-lightning_version": "1.5.10",
        "state_dict": tensors,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
        "hyper_parameters": {"config": official_settings(model)},
    }


def official_settings(model: SpeechClip) -> dict[str, Any]:
    """The part of the authors' configuration that says what tensors do not."""
    return {
        "model_settings": {
            "parallel_branch": {
                "transformer_type": "TransformerEncoder",
                "transformer_args": {
                    "nhead": model.config.parallel.heads,
                    "activation": "gelu",
                    "norm_first": False,
                },
            }
        },
        "audio_encoder": {
            "feat_select_idx": "weighted_sum",
            "normalize_hiddenstates": model.config.audio.normalize_hidden_states,
        },
    }


def write_official(path: Path, content: Mapping[str, Any], protocol: int = 2) -> Path:
    """Save `content`, its configuration as objects of the authors' classes."""
    with _foreign_class(*NAMESPACE) as namespace, _foreign_class(*LOGGER) as logger:
        pickled = dict(content)
        if "config" in (parameters := content.get("hyper_parameters", {})):
            config = {**parameters["config"], "trainer": {"logger": logger()}}
            pickled["hyper_parameters"] = {**parameters, "config": _namespaces(config, namespace)}
        torch.save(pickled, path, pickle_protocol=protocol)
    return path


def tensors_of(content: Mapping[str, Any]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = content["state_dict"]
    return tensors


def _namespaces(value: Any, namespace: type) -> Any:
    if not isinstance(value, dict):
        return value
    instance = namespace()
    vars(instance).update({key: _namespaces(item, namespace) for key, item in value.items()})
    return instance


@contextmanager
def _foreign_class(module: str, name: str) -> Iterator[type]:
    """A class that pickles under a name which does not exist here."""
    cls = type(name, (), {"__module__": module})
    holder = ModuleType(module)
    setattr(holder, name, cls)
    parents = {module.rsplit(".", depth)[0]: ModuleType(module) for depth in range(1, module.count(".") + 1)}
    with patch.dict(sys.modules, {**parents, module: holder}):
        yield cls
