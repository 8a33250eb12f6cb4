"""Opens a checkpoint of the authors (a Lightning file, spec section 4.1) without running anything that is in it.

Such a file is a pickle, and a pickle may import and call whatever it names. Here it may name what tensors are made of
and two foreign classes, which inert ones stand for; a file that names anything else is refused before it is read.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from models.errors import CheckpointError

_NAMESPACE = "avssl.base.ordered_namespace.OrderedNamespace"
_LOGGER = "pytorch_lightning.loggers.wandb.WandbLogger"
_MOST_PICKLED = 64 << 20  # bytes; the real ones have about one megabyte, tensors not counted


@dataclass(frozen=True)
class OfficialFile:
    """What a checkpoint holds. tensors: its `state_dict`; settings: the configuration it was trained with."""

    path: Path
    tensors: Mapping[str, Tensor]
    settings: Mapping[str, Any]

    def setting(self, path: str, default: Any = None) -> Any:
        """The setting at a dotted path, or `default` where it is absent: releases differ in what they keep."""
        value: Any = self.settings
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return default
            value = value[key]
        return value


class _Namespace:
    """Stands for the authors' configuration class: keeps what is in it."""

    content: object = None

    def __setstate__(self, state: object) -> None:
        self.content = state


class _Nothing:
    """Stands for a logger: forgets what is in it."""

    def __setstate__(self, state: object) -> None:
        pass


def open_official(path: Path) -> OfficialFile:
    """Read a checkpoint; the tensors stay in the file until they are used. Raises `CheckpointError`."""
    if not path.is_file():
        raise CheckpointError(f"no checkpoint {path}")
    if not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path} is not a complete zip archive: no checkpoint, or one that broke off")
    content = _load(path)
    tensors = content.get("state_dict") if isinstance(content, dict) else None
    parameters = content.get("hyper_parameters") if isinstance(content, dict) else None
    settings = parameters.get("config") if isinstance(parameters, dict) else None
    if not isinstance(tensors, dict) or not isinstance(settings, dict):
        raise CheckpointError(f"{path} is not in the authors' layout: no state_dict, or no hyper_parameters.config")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise CheckpointError(f"{path} is not in the authors' layout: {name!r} in state_dict is no tensor")
    return OfficialFile(path, tensors, settings)


def _load(path: Path) -> Any:
    with safe_globals([(_Namespace, _NAMESPACE), (_Nothing, _LOGGER)]):
        try:
            foreign = _computed_imports(_pickled(path)) or sorted(get_unsafe_globals_in_checkpoint(path))
            if not foreign:
                return _plain(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
        except CheckpointError:
            raise
        # The bytes are a stranger's: the readers fail in as many ways as bytes can be wrong.
        except Exception as error:
            reason = str(error).partition(". ")[0]
            raise CheckpointError(f"{path} cannot be read: {reason}") from error
    raise CheckpointError(f"{path} is refused: it wants to import {', '.join(foreign)}")


def _pickled(path: Path) -> bytes:
    """The pickle in the archive."""
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.endswith("data.pkl")]
        if len(entries) != 1:
            raise CheckpointError(f"{path} is not a checkpoint: it has {len(entries)} files named data.pkl")
        if entries[0].file_size > _MOST_PICKLED:
            raise CheckpointError(f"{path} is refused: {entries[0].file_size:,} bytes of pickle are no checkpoint")
        return archive.read(entries[0])


def _computed_imports(pickled: bytes) -> list[str]:
    """Names imported from strings on the stack: newer pickles do that, checkpoints never."""
    found, strings = [], [""]
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "STACK_GLOBAL":
            found.append(".".join(strings[-2:]))
        elif isinstance(argument, str):
            strings.append(argument)
    return found


def _plain(value: Any) -> Any:
    """Without stand-ins: namespaces as dicts, loggers as None."""
    match value:
        case _Nothing():
            return None
        case _Namespace():
            return _plain(value.content)
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value
