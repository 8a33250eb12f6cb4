"""Writes safetensors files tensor by tensor: nothing is held but the one that is being written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.bool: "BOOL",
}
_ALIGNMENT = 64  # bytes; a mapped tensor is then as fast as one in memory
_CHUNK = 16 << 20

OnBytes = Callable[[str, memoryview], None]
"""Told (name of a tensor, the next bytes of it)."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], on_bytes: OnBytes = lambda name, piece: None) -> None:
    """Write `tensors`, in whatever order, and have them on the disk.

    An existing file is replaced in one step: whoever has mapped it keeps the old one. Raises `OSError`.
    """
    names = sorted(tensors, key=lambda name: (tensors[name].nbytes % _ALIGNMENT != 0, -tensors[name].itemsize, name))
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        file.write(_header({name: tensors[name] for name in names}))
        for name in names:
            for piece in pieces(tensors[name]):
                file.write(piece)
                on_bytes(name, piece)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def pieces(tensor: Tensor) -> Iterator[memoryview]:
    """The bytes of a tensor in its own order, a few megabytes at a time."""
    data = tensor.detach().contiguous().view(-1).numpy().view(np.uint8).data
    yield from (data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK))


def _header(tensors: Mapping[str, Tensor]) -> bytes:
    entries, end = {}, 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        entries[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text
