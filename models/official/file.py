"""Opens a checkpoint of the authors (a Lightning file, spec section 4.1) without running anything that is in it.

Such a file is a pickle, and a pickle may import and call whatever it names. Here it may name what tensors are made of
and two foreign classes, which inert ones stand for; a file that names anything else is refused before it is read. A
tensor must be exactly one member of the archive, or a part of one.
"""

from __future__ import annotations

import mmap
import pickletools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import safe_globals

from models.errors import CheckpointError
from models.official.archive import read_archive

_NAMESPACE = "avssl.base.ordered_namespace.OrderedNamespace"
_LOGGER = "pytorch_lightning.loggers.wandb.WandbLogger"
_STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
# Far less than torch allows: among what it does is a call that fills any amount of memory.
_IMPORTS = frozenset(
    {
        _NAMESPACE,
        _LOGGER,
        "collections.OrderedDict",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        *(f"torch.{kind}Storage" for kind in _STORAGES),
    }
)
_MOST_SETTINGS = 20_000  # the real ones have about 200
_DEEPEST_SETTING = 64
_LARGEST_NUMBER = 1 << 63


@dataclass(frozen=True)
class OfficialFile:
    """What a checkpoint holds.

    tensors: its `state_dict`, mapped and not read; settings: the configuration it was trained with; steps, epoch: how
    far the training had come, where the file tells.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    settings: Mapping[str, Any]
    steps: int | None
    epoch: int | None
    _mapped: mmap.mmap

    def setting(self, path: str, default: Any = None) -> Any:
        """The setting at a dotted path, or `default` where it is absent: releases differ in what they keep."""
        value: Any = self.settings
        for key in path.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return default
            value = value[key]
        return value

    def release(self) -> None:
        """Let go of the memory that reading tensors has filled; they are read again when they are used again."""
        self._mapped.madvise(mmap.MADV_DONTNEED)


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
    archive = read_archive(path)
    if foreign := sorted(set(_imports(archive.pickled, path)) - _IMPORTS):
        raise CheckpointError(f"{path} is refused: it wants to import {', '.join(foreign)}")
    content = _load(path)
    parameters = content.get("hyper_parameters")
    settings = _Settings(path).plain(parameters.get("config") if isinstance(parameters, dict) else None)
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path} is not in the authors' layout: no hyper_parameters.config")
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # torch warns of memory that is only read
    tensors = {
        name: _map(tensor, mapped, archive.sizes, f"{path} is refused: {name}")
        for name, tensor in _named(content, path)
    }
    return OfficialFile(path, tensors, settings, _count(content, "global_step"), _count(content, "epoch"), mapped)


def _imports(pickled: bytes, path: Path) -> Iterator[str]:
    """Every name that the pickle imports. Newer ones take it from strings on the stack, which checkpoints never do."""
    strings = ["", ""]
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name in ("GLOBAL", "INST"):
                yield str(argument).replace(" ", ".")
            elif opcode.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
                yield f"{'.'.join(strings)} ({opcode.name})"
            elif isinstance(argument, str):
                strings = [strings[-1], argument]
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def _load(path: Path) -> dict[Any, Any]:
    """The content of the file; of tensors only what they look like and where they are."""
    try:
        with safe_globals([(_Namespace, _NAMESPACE), (_Nothing, _LOGGER)]):
            content = torch.load(path, map_location="meta", weights_only=True)
    # The bytes are a stranger's: the readers fail in as many ways as bytes can be wrong.
    except Exception as error:
        reason = str(error).rpartition("WeightsUnpickler error: ")[2].partition("\n")[0].partition(". ")[0]
        raise CheckpointError(f"{path} cannot be read: {reason}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is not in the authors' layout: it holds no named parts")
    return content


def _named(content: Mapping[Any, Any], path: Path) -> Iterator[tuple[str, Tensor]]:
    tensors = content.get("state_dict")
    if not isinstance(tensors, dict):
        raise CheckpointError(f"{path} is not in the authors' layout: no state_dict")
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise CheckpointError(f"{path} is not in the authors' layout: {name!r} in state_dict is no tensor")
        yield name, tensor


def _map(tensor: Tensor, mapped: mmap.mmap, sizes: Mapping[int, int], refused: str) -> Tensor:
    """The tensor with its numbers: its storage is one whole member, and it has no more numbers than that."""
    storage = tensor.untyped_storage()
    offset = getattr(storage, "_checkpoint_offset", -1)
    if sizes.get(offset) != storage.nbytes() or tensor.nbytes > storage.nbytes() or offset % tensor.itemsize:
        raise CheckpointError(f"{refused} is not what the archive has for it")
    if not tensor.numel():
        return torch.empty(tensor.shape, dtype=tensor.dtype)
    numbers = torch.frombuffer(mapped, dtype=tensor.dtype, count=storage.nbytes() // tensor.itemsize, offset=offset)
    return numbers.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())


def _count(content: Mapping[Any, Any], name: str) -> int | None:
    value = content.get(name)
    return value if isinstance(value, int) and 0 <= value < _LARGEST_NUMBER else None


class _Settings:
    """Settings without stand-ins: namespaces as dicts, what is no plain value as None.

    They are counted: a few bytes of pickle can nest a list in itself until no memory holds what it looks like.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._left = path, _MOST_SETTINGS

    def plain(self, value: Any, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST_SETTING:
            raise CheckpointError(f"{self._path} is refused: so many settings are no checkpoint")
        match value:
            case _Namespace():
                return self.plain(value.content, depth + 1)
            case dict():
                return {key: self.plain(item, depth + 1) for key, item in value.items() if isinstance(key, str)}
            case list() | tuple():
                return [self.plain(item, depth + 1) for item in value]
            case None | bool() | float() | str():
                return value
            case int() if abs(value) < _LARGEST_NUMBER:
                return value
            case _:
                return None
