"""What a checkpoint of the authors is, as this project configures it (spec sections 2 and 4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError
from torch import Tensor

from models.config import (
    AudioConfig,
    CascadedConfig,
    CifConfig,
    ClipConfig,
    Kind,
    ModelConfig,
    ParallelConfig,
    TextConfig,
    VisionConfig,
)
from models.errors import CheckpointError
from models.official.file import OfficialFile
from models.official.keys import CASCADED, CLIP, FULL_TABLE, HUBERT, REDUCED_TABLE

_HEAD_WIDTH = 64  # of attention in every published HuBERT and CLIP, with this exception:
_OTHER_HEADS: Mapping[int, int] = {1280: 16}  # of HuBERT X-Large, by its width
_HUBERT_KERNELS, _HUBERT_STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
_MODEL = "model_settings."
_BRANCH = "model_settings.cascaded_branch"
_TEMPERATURE = re.compile(r"fixed=(\d+(?:\.\d+)?)")
_HEADS: Mapping[str, Literal["attention", "transformer"]] = {
    "MultiheadAttentionAndNorm": "attention",
    "TransformerEncoder": "transformer",
}
_NAMES = {  # what the settings may call a branch
    "cascaded": "CascadedBranch",
    "hybrid": "HybridBranch",
    "cascaded+": "CascadedBranch_plus",
    "hybrid+": "HybridBranch_plus",
}


def read_config(file: OfficialFile, name: str, hubert_heads: int | None = None) -> ModelConfig:
    """The configuration of the model in a checkpoint, called `name`. Tensors are asked for their shapes only.

    hubert_heads: attention heads of HuBERT; by default as many as the published HuBERTs of that width have. Raises
    `CheckpointError`, by the name of what this project does not have.
    """
    _require(file, "audio_encoder.feat_select_idx", "weighted_sum")
    branch = branch_of(file)
    own = branch.startswith("cascaded")
    try:
        config = ModelConfig(
            name=name,
            branch=branch,
            search_branch=file.setting("retrieval.audio_feat_src", "cascaded" if own else "parallel"),
            embedding_size=_shape(file, CLIP + "text_projection", 2)[1],
            audio=_audio(file, hubert_heads),
            parallel=_parallel(file) if branch == "parallel" else ParallelConfig(),
            cascaded=None if branch == "parallel" else _cascaded(file, branch),
            clip=ClipConfig(vision=_vision(file), text=_text(file), quick_gelu=True),
        )
    except ValidationError as error:
        raise CheckpointError(f"{file.path} describes no possible model: {error}") from error
    return config


def branch_of(file: OfficialFile) -> Kind:
    """By the tensors that only one branch has. Raises `CheckpointError` where the settings call it something else."""
    names = file.tensors
    if not any(name.startswith(CASCADED) for name in names):
        return "parallel"
    if "parallel_branch.cls" in names:
        raise CheckpointError(f"{file.path} has a parallel and a cascaded branch that share nothing: not supported")
    branch = _cascaded_form(names)
    kind = file.setting(f"{_BRANCH}.type", _NAMES[branch])
    if str(kind).removeprefix("KW_").replace("dynamic", "plus") != _NAMES[branch]:
        raise CheckpointError(f"{file.path}: {_BRANCH}.type is {kind!r}, but the tensors are those of {branch}")
    return branch


def _cascaded_form(names: Mapping[str, Tensor]) -> Kind:
    if CASCADED + "parallel_cls" in names:
        return "hybrid"
    if not any(name.startswith(CASCADED + "downsampling.") for name in names):
        return "cascaded"
    return "hybrid+" if CASCADED + "cls" in names else "cascaded+"


def full_table(file: OfficialFile) -> str:
    """Where CLIP's own token embedding is: a model with a reduced table keeps it aside."""
    return FULL_TABLE if FULL_TABLE in file.tensors else REDUCED_TABLE


def _audio(file: OfficialFile, heads: int | None) -> AudioConfig:
    convolutions = _count(file, HUBERT + "feature_extractor.conv_layers.")
    shapes = [_shape(file, f"{HUBERT}feature_extractor.conv_layers.{i}.0.weight", 3) for i in range(convolutions)]
    kernels = tuple(shape[2] for shape in shapes)
    if kernels != _HUBERT_KERNELS:
        raise CheckpointError(f"{file.path}: convolutions of widths {kernels} are not HuBERT's; strides are unknown")
    size, group_size, position_kernel = _shape(file, HUBERT + "encoder.pos_conv.0.weight_v", 3)
    large = f"{HUBERT}feature_extractor.conv_layers.0.2.1.weight" in file.tensors
    return AudioConfig(
        hidden_size=size,
        layers=_count(file, HUBERT + "encoder.layers."),
        heads=heads or _OTHER_HEADS.get(size, size // _HEAD_WIDTH),
        ffn_size=_shape(file, HUBERT + "encoder.layers.0.fc1.weight", 2)[0],
        conv_dim=tuple(shape[0] for shape in shapes),
        conv_kernel=kernels,
        conv_stride=_HUBERT_STRIDES,
        conv_bias=HUBERT + "feature_extractor.conv_layers.0.0.bias" in file.tensors,
        conv_norm="layer" if large else "group",
        pre_norm=large,
        position_kernel=position_kernel,
        position_groups=size // group_size,
        # HuBERT large normalises by itself; some models of the second paper were trained on normalised audio.
        normalize_waveform=large or bool(file.setting("data.dataset.normalize_waveform")),
        normalize_hidden_states=_normalizes_hidden_states(file),
    )


def _normalizes_hidden_states(file: OfficialFile) -> bool:
    if not file.setting("audio_encoder.normalize_hiddenstates"):
        return False
    _require(file, "audio_encoder.normalize_type", "s3prl")  # the only one of theirs that is a layer norm
    return True


def _parallel(file: OfficialFile) -> ParallelConfig:
    branch = _MODEL + "parallel_branch"
    if _head(file, branch) != "transformer":
        raise CheckpointError(f"{file.path}: {branch}.transformer_type is not 'TransformerEncoder'")
    return ParallelConfig(
        heads=file.setting(f"{branch}.transformer_args.nhead"),
        ffn_size=_shape(file, "parallel_branch.self_att.model.layers.0.linear1.weight", 2)[0],
    )


def _cascaded(file: OfficialFile, branch: Kind) -> CascadedConfig:
    head = _head(file, _BRANCH)
    tokens = {"cascaded": "cls", "hybrid": "cascaded_cls"}.get(branch)
    fixed = {"keywords": _shape(file, CASCADED + tokens, 3)[1]} if tokens else {}
    if tokens:
        _require(file, f"{_BRANCH}.keyword.batchnorms.type", "eachKw")
        _require(file, f"{_BRANCH}.keyword.batchnorms.parallel", True)
    wide = _shape(file, CASCADED + "self_att.model.layers.0.linear1.weight", 2)[0] if head == "transformer" else None
    return CascadedConfig(
        vocabulary_size=_shape(file, REDUCED_TABLE, 2)[0],
        head=head,
        heads=file.setting(f"{_BRANCH}.transformer_args.nhead"),
        ffn_size=wide,
        **fixed,
        keyword_projection=_hidden_sizes(file, CASCADED + "linear_proj"),
        parallel_projection=_hidden_sizes(file, CASCADED + "parallel_proj"),
        batch_norm="each" if tokens else "shared",
        temperature=_temperature(file),
        cif=None if tokens else _cif(file),
    )


def _head(file: OfficialFile, branch: str) -> Literal["attention", "transformer"]:
    """Which attention a branch has; the second paper says so elsewhere than the first."""
    arguments = f"{branch}.transformer_args"
    kind = file.setting(f"{arguments}.type") or file.setting(f"{branch}.transformer_type")
    if kind not in _HEADS:
        known = " or ".join(map(repr, _HEADS))
        raise CheckpointError(f"{file.path}: {branch}.transformer_type is {kind!r}, not {known}")
    if _HEADS[kind] == "transformer":
        _require(file, f"{arguments}.norm_first", False)
        _require(file, f"{arguments}.activation", "gelu")
    return _HEADS[kind]


def _hidden_sizes(file: OfficialFile, name: str) -> tuple[int, ...]:
    """Of a network of several layers, which are numbered in threes; one linear layer has none."""
    inner = [key for key in file.tensors if key.startswith(f"{name}.sequential.") and key.endswith(".weight")]
    return tuple(_shape(file, f"{name}.sequential.{3 * layer}.weight", 2)[0] for layer in range(len(inner) - 1))


def _temperature(file: OfficialFile) -> float:
    quantizer = f"{_BRANCH}.vq"
    _require(file, f"{quantizer}.type", "SimpleVectorQuantizer")
    _require(file, f"{quantizer}.args.hard", True)
    _require(file, f"{quantizer}.args.use_gumbel", False)
    _require(file, f"{quantizer}.args.time_first", True)
    setting = file.setting(f"{quantizer}.args.temp", "fixed=0.1")
    found = _TEMPERATURE.fullmatch(str(setting))
    if not found:
        raise CheckpointError(f"{file.path}: {quantizer}.args.temp is {setting!r}; only 'fixed=...' is supported")
    return float(found[1])


def _cif(file: OfficialFile) -> CifConfig:
    _require(file, f"{_BRANCH}.downsampling.type", "cif")
    branch = f"{_BRANCH}.downsampling.cif"
    _require(file, f"{branch}.produce_weight_type", "conv")
    tail: Any = None
    if file.setting(f"{branch}.apply_tail_handling", True):
        tail = file.setting(f"{branch}.tail_handling_firing_threshold", 0.5)
    return CifConfig(
        conv_width=_shape(file, CASCADED + "downsampling.conv.0.weight", 3)[2],
        conv_layers=_count(file, CASCADED + "downsampling.conv."),
        threshold=file.setting(f"{branch}.cif_threshold", 1.0),
        tail_threshold=tail,
    )


def _vision(file: OfficialFile) -> VisionConfig:
    width, _, _, patch = _shape(file, CLIP + "visual.conv1.weight", 4)
    patches = _shape(file, CLIP + "visual.positional_embedding", 2)[0] - 1
    return VisionConfig(
        image_size=round(patches**0.5) * patch,
        patch_size=patch,
        width=width,
        layers=_count(file, CLIP + "visual.transformer.resblocks."),
        head_width=_HEAD_WIDTH,
    )


def _text(file: OfficialFile) -> TextConfig:
    context_length, width = _shape(file, CLIP + "positional_embedding", 2)
    return TextConfig(
        context_length=context_length,
        vocab_size=_shape(file, full_table(file), 2)[0],
        width=width,
        heads=width // _HEAD_WIDTH,
        layers=_count(file, CLIP + "transformer.resblocks."),
    )


def _shape(file: OfficialFile, name: str, dimensions: int) -> tuple[int, ...]:
    if name not in file.tensors:
        raise CheckpointError(f"{file.path} has no tensor {name}")
    shape = tuple(file.tensors[name].shape)
    if len(shape) != dimensions or not all(shape):
        raise CheckpointError(f"{file.path}: {name} is of shape {shape}, which should have {dimensions} dimensions")
    return shape


def _count(file: OfficialFile, prefix: str) -> int:
    """How many numbered modules there are below a prefix."""
    return len({name.removeprefix(prefix).partition(".")[0] for name in file.tensors if name.startswith(prefix)})


def _require(file: OfficialFile, setting: str, value: object) -> None:
    found = file.setting(setting, value)
    if found != value:
        raise CheckpointError(f"{file.path}: {setting} is {found!r}; only {value!r} is supported")
