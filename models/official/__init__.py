"""Reads the authors' checkpoint layout: what a model is follows from its tensors and its recorded settings alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch
from torch import Tensor

from models.config import ModelConfig
from models.errors import CheckpointError
from models.official.config import full_table, read_config
from models.official.file import OfficialFile, open_official
from models.official.keys import FULL_TABLE, REDUCED_TABLE, is_unused, official_name
from models.speechclip import SpeechClip


@dataclass(frozen=True)
class OfficialModel:
    """A checkpoint in this project's terms.

    vocabulary: reduced sub-word id -> id of CLIP's byte-pair encoding; file: where the tensors are mapped from.
    """

    config: ModelConfig
    state_dict: Mapping[str, Tensor]
    vocabulary: Sequence[int]
    file: OfficialFile

    def build(self) -> SpeechClip:
        """The network in evaluation mode, float32, on the CPU."""
        model = SpeechClip(self.config, self.vocabulary)
        model.load_state_dict(self.state_dict)
        return model.eval()


def read_official(path: Path, name: str, hubert_heads: int | None = None) -> OfficialModel:
    """A checkpoint of the authors as a model called `name`. Raises `CheckpointError`.

    hubert_heads: attention heads of HuBERT, which nothing in a checkpoint tells; by default as many as the published
    HuBERTs of that width have.
    """
    file = open_official(path)
    config = read_config(file, name, hubert_heads)
    return OfficialModel(config, _state_dict(file, config), _vocabulary(file), file)


def _state_dict(file: OfficialFile, config: ModelConfig) -> dict[str, Tensor]:
    """Every tensor of the model from the checkpoint, none missing, none left over, each of the right shape."""
    with torch.device("meta"):
        expected = SpeechClip(config, range(config.cascaded.vocabulary_size if config.cascaded else 0)).state_dict()
    sources = {name: official_name(name, config) for name in expected}
    sources["clip.token_embedding.weight"] = full_table(file)
    known = {*sources.values(), REDUCED_TABLE}
    if unknown := sorted(name for name in file.tensors if name not in known and not is_unused(name)):
        raise CheckpointError(f"{file.path} has tensors of unknown use: {_some(unknown)}")
    if missing := sorted(name for name in known if name not in file.tensors):
        raise CheckpointError(f"{file.path} has no tensor {_some(missing)}")
    for name, source in sources.items():
        found, wanted = tuple(file.tensors[source].shape), tuple(expected[name].shape)
        if found != wanted:
            raise CheckpointError(f"{file.path}: {source} is of shape {found}, which should be {wanted}")
    return {name: file.tensors[source].detach().to(expected[name].dtype) for name, source in sources.items()}


def _vocabulary(file: OfficialFile) -> Sequence[int]:
    """CLIP's id for every row of the reduced table, which the checkpoint does not tell: by equal rows."""
    full = _rows(file.tensors[full_table(file)])
    # The first of equal rows wins.
    ids = {row: number for number, row in reversed(list(enumerate(full)))}
    rows = [ids.get(row) for row in _rows(file.tensors[REDUCED_TABLE])]
    found = [number for number in rows if number is not None]
    if len(found) < len(rows):
        raise CheckpointError(f"{file.path}: row {rows.index(None)} of {REDUCED_TABLE} is no row of {FULL_TABLE}")
    return found


def _rows(table: Tensor) -> list[bytes]:
    """Every row by its digest: the rows themselves would be a second table in memory."""
    return [blake2b(row, digest_size=16).digest() for row in table.detach().float().contiguous().numpy()]


def _some(names: Sequence[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
