"""Writes checkpoints as the authors' training does, foreign classes included."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from models.config import CascadedConfig, CifConfig, ModelConfig
from models.official.file import OfficialFile
from models.official.keys import CASCADED, FULL_TABLE, REDUCED_TABLE, official_name
from models.speechclip import SpeechClip

NAMESPACE = ("avssl.base.ordered_namespace", "OrderedNamespace")
LOGGER = ("pytorch_lightning.loggers.wandb", "WandbLogger")


TYPES = {
    "cascaded": "KW_CascadedBranch",
    "hybrid": "HybridBranch",
    "cascaded+": "CascadedBranch_dynamic",
    "hybrid+": "HybridBranch_plus",
}


def official_content(model: SpeechClip, vocabulary: list[int]) -> dict[str, Any]:
    """What a checkpoint of `model` holds, with settings as plain dicts."""
    tensors = {official_name(name, model.config): tensor for name, tensor in model.state_dict().items()}
    tensors[FULL_TABLE] = tensors[REDUCED_TABLE]
    tensors[REDUCED_TABLE] = tensors[FULL_TABLE][vocabulary]
    tensors["criterion.eye_mat"] = torch.eye(3, dtype=torch.bool)
    tensors["audio_encoder.encoder.label_embs_concat"] = torch.zeros(5, 4)
    tensors["audio_encoder.encoder.final_proj.weight"] = torch.zeros(4, 16)
    if model.config.cascaded:
        tensors[CASCADED + "vector_quantizer.curr_temp"] = torch.tensor([model.config.cascaded.temperature])
        tensors |= {CASCADED + name: tensor for name, tensor in tensors.items() if name.startswith("clip.")}
    return {
        "epoch": 1,
        "pytorch-lightning_version": "1.5.10",
        "state_dict": tensors,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
        "hyper_parameters": {"config": official_settings(model.config)},
    }


def official_settings(config: ModelConfig) -> dict[str, Any]:
    """The part of the authors' configuration that says what tensors do not."""
    return {
        "model_settings": {
            "parallel_branch": {
                "transformer_type": "TransformerEncoder",
                "transformer_args": {
                    "nhead": config.parallel.heads,
                    "activation": "gelu",
                    "norm_first": False,
                },
            },
            **({"cascaded_branch": _cascaded_settings(config.branch, config.cascaded)} if config.cascaded else {}),
        },
        "retrieval": {"audio_feat_src": config.search_branch},
        "audio_encoder": {
            "feat_select_idx": "weighted_sum",
            "normalize_hiddenstates": config.audio.normalize_hidden_states,
        },
    }


def _cascaded_settings(branch: str, config: CascadedConfig) -> dict[str, Any]:
    kind = {"attention": "MultiheadAttentionAndNorm", "transformer": "TransformerEncoder"}[config.head]
    settings: dict[str, Any] = {
        "type": TYPES[branch],
        "transformer_args": {"type": kind, "nhead": config.heads, "activation": "gelu", "norm_first": False},
        "keyword": {"batchnorms": {"type": "eachKw", "std_scale": 1.0, "learnable": True, "parallel": True}},
        "vq": {
            "type": "SimpleVectorQuantizer",
            "args": {"temp": f"fixed={config.temperature}", "time_first": True, "use_gumbel": False, "hard": True},
        },
    }
    if config.cif:
        settings["downsampling"] = {"type": "cif", "cif": _cif_settings(config.cif)}
    return settings


def _cif_settings(config: CifConfig) -> dict[str, Any]:
    return {
        "produce_weight_type": "conv",
        "cif_threshold": config.threshold,
        "apply_tail_handling": config.tail_threshold is not None,
        "tail_handling_firing_threshold": config.tail_threshold or 0.5,
        "scaling_step": 5000,
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


def in_memory(tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> OfficialFile:
    """A checkpoint that is no file."""
    return OfficialFile(Path("model.ckpt"), tensors, settings, steps=None, epoch=None, _mapped=mmap.mmap(-1, 1))


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
