"""Reads the authors' checkpoint layout: what a model is follows from its tensors and its recorded settings alone.

The parallel branch is read; a checkpoint of another branch is refused by the name of that branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from models.config import AudioConfig, ClipConfig, ModelConfig, ParallelConfig, TextConfig, VisionConfig
from models.errors import CheckpointError
from models.official_file import OfficialFile, open_official
from models.official_keys import CLIP, FULL_TABLE, HUBERT, REDUCED_TABLE, is_unused, official_name
from models.speechclip import SpeechClip

_HEAD_WIDTH = 64  # of attention in every published HuBERT and CLIP
_HUBERT_KERNELS, _HUBERT_STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


@dataclass(frozen=True)
class OfficialModel:
    """A checkpoint in this project's terms. vocabulary: reduced sub-word id -> id of CLIP's byte-pair encoding."""

    config: ModelConfig
    state_dict: Mapping[str, Tensor]
    vocabulary: Sequence[int]

    def build(self) -> SpeechClip:
        """The network in evaluation mode, float32, on the CPU."""
        model = SpeechClip(self.config)
        model.load_state_dict(self.state_dict)
        return model.eval()


def read_official(path: Path, name: str, hubert_heads: int | None = None) -> OfficialModel:
    """A checkpoint of the authors as a model called `name`. Raises `CheckpointError`.

    hubert_heads: attention heads of HuBERT, which nothing in a checkpoint tells; by default as many as the published
    HuBERTs of that width have.
    """
    file = open_official(path)
    branch = branch_of(file.tensors)
    if branch != "parallel":
        raise CheckpointError(f"{path} is a {branch} model: only the parallel branch can be read")
    config = _config(file, name, hubert_heads)
    return OfficialModel(config, _state_dict(file, config), _vocabulary(file))


def branch_of(names: Mapping[str, Tensor]) -> str:
    """parallel, cascaded, hybrid, cascaded+ or hybrid+, by the tensors that only that branch has."""
    cascaded = any(name.startswith("cascaded_branch.") for name in names)
    if not cascaded:
        return "parallel"
    if "parallel_branch.cls" in names:
        return "parallel and cascaded"
    if "cascaded_branch.parallel_cls" in names:
        return "hybrid"
    if not any(name.startswith("cascaded_branch.downsampling.") for name in names):
        return "cascaded"
    return "hybrid+" if "cascaded_branch.cls" in names else "cascaded+"


def _config(file: OfficialFile, name: str, hubert_heads: int | None) -> ModelConfig:
    _require(file, "audio_encoder.feat_select_idx", "weighted_sum")
    try:
        return ModelConfig(
            name=name,
            embedding_size=_shape(file, "clip.model.text_projection", 2)[1],
            audio=_audio(file, hubert_heads),
            parallel=_parallel(file),
            clip=ClipConfig(vision=_vision(file), text=_text(file), quick_gelu=True),
        )
    except ValidationError as error:
        raise CheckpointError(f"{file.path} describes no possible model: {error}") from error


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
        heads=heads or size // _HEAD_WIDTH,
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
        normalize_hidden_states=bool(file.setting("audio_encoder.normalize_hiddenstates")),
    )


def _parallel(file: OfficialFile) -> ParallelConfig:
    branch = "model_settings.parallel_branch"
    kind = file.setting(f"{branch}.transformer_args.type") or file.setting(f"{branch}.transformer_type")
    if kind != "TransformerEncoder":
        raise CheckpointError(f"{file.path}: {branch}.transformer_type is {kind!r}, not 'TransformerEncoder'")
    _require(file, f"{branch}.transformer_args.norm_first", False)
    _require(file, f"{branch}.transformer_args.activation", "gelu")
    return ParallelConfig(
        heads=file.setting(f"{branch}.transformer_args.nhead"),
        ffn_size=_shape(file, "parallel_branch.self_att.model.layers.0.linear1.weight", 2)[0],
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
        vocab_size=_shape(file, _full_table(file), 2)[0],
        width=width,
        heads=width // _HEAD_WIDTH,
        layers=_count(file, CLIP + "transformer.resblocks."),
    )


def _state_dict(file: OfficialFile, config: ModelConfig) -> dict[str, Tensor]:
    """Every tensor of the model from the checkpoint, none missing, none left over, each of the right shape."""
    with torch.device("meta"):
        expected = SpeechClip(config).state_dict()
    sources = {name: official_name(name, config) for name in expected}
    sources["clip.token_embedding.weight"] = _full_table(file)
    known = {*sources.values(), REDUCED_TABLE}
    if unknown := sorted(name for name in file.tensors if name not in known and not is_unused(name)):
        raise CheckpointError(f"{file.path} has tensors of unknown use: {_some(unknown)}")
    if missing := sorted(name for name in known if name not in file.tensors):
        raise CheckpointError(f"{file.path} has no tensor {_some(missing)}")
    for name, source in sources.items():
        found, wanted = tuple(file.tensors[source].shape), tuple(expected[name].shape)
        if found != wanted:
            raise CheckpointError(f"{file.path}: {source} is of shape {found}, which should be {wanted}")
    return {name: file.tensors[source].detach().float() for name, source in sources.items()}


def _vocabulary(file: OfficialFile) -> Sequence[int]:
    """CLIP's id for every row of the reduced table, which the checkpoint does not tell: by equal rows."""
    full = _rows(file.tensors[_full_table(file)])
    # The first of equal rows wins.
    ids = {row: number for number, row in reversed(list(enumerate(full)))}
    rows = [ids.get(row) for row in _rows(file.tensors[REDUCED_TABLE])]
    found = [number for number in rows if number is not None]
    if len(found) < len(rows):
        raise CheckpointError(f"{file.path}: row {rows.index(None)} of {REDUCED_TABLE} is no row of {FULL_TABLE}")
    return found


def _rows(table: Tensor) -> list[bytes]:
    return [row.tobytes() for row in table.detach().float().numpy()]


def _full_table(file: OfficialFile) -> str:
    """Where CLIP's own token embedding is: a model with a reduced table keeps it aside."""
    return FULL_TABLE if FULL_TABLE in file.tensors else REDUCED_TABLE


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


def _some(names: Sequence[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
