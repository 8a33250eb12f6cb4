"""Makes torchvision and torchaudio importable where their compiled halves do not load.

Both are published for CUDA; beside a CPU build of torch, or another CUDA's, their libraries do not load. All that is
used here lies in their Python halves, but those refuse to be imported, and so do transformers and open_clip, which
import them. `prepare` has to run before any of the four is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn

import torch

from models.errors import ModelError

TORCHAUDIO_EXTENSION = "torchaudio._extension"


def prepare() -> list[str]:
    """Import torchvision and torchaudio, mending them where that fails; the names of those mended by this call.

    Does nothing to a package that imports as it is, or is not installed. Safe to call any number of times. Raises
    `ModelError` where the environment keeps transformers from being imported.
    """
    _require_endpoint()
    mends: dict[str, Callable[[], object]] = {
        "torchvision": _torchvision_operators,
        "torchaudio": _replace_torchaudio_extension,
    }
    broken = [name for name in mends if find_spec(name) is not None and not _imports(name)]
    for name in broken:
        mends[name]()
    return broken


def _require_endpoint() -> None:
    """transformers import huggingface_hub, which takes the address of its hub apart as it is imported."""
    try:
        import_module("huggingface_hub.file_download")
    except ValueError as error:
        raise ModelError(f"HF_ENDPOINT is not the address of a hub: {error}") from error


def _imports(package: str) -> bool:
    try:
        import_module(package)
    # A library that lacks its CUDA: OSError. An operator that it should have brought, or the wrong CUDA: RuntimeError.
    except (ImportError, OSError, RuntimeError):
        return False
    return True


@cache
def _torchvision_operators() -> torch.library.Library:
    """Declares what torchvision's Python half attaches to. The operators last as long as the object: it is cached."""
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


def _replace_torchaudio_extension() -> None:
    sys.modules[TORCHAUDIO_EXTENSION] = _TorchaudioExtension(TORCHAUDIO_EXTENSION)


class _TorchaudioExtension(ModuleType):
    """torchaudio's loader of compiled code, as it is where there is none to load."""

    _IS_TORCHAUDIO_EXT_AVAILABLE = False
    _IS_ALIGN_AVAILABLE = False

    @staticmethod
    def _load_lib(_lib: str) -> bool:
        return False

    @staticmethod
    def _check_cuda_version() -> None:
        return None

    @staticmethod
    def fail_if_no_align(function: Callable[..., object]) -> Callable[..., NoReturn]:
        def fail(*_args: object, **_kwargs: object) -> NoReturn:
            raise RuntimeError(f"{function.__name__} needs the compiled half of torchaudio, which does not load here")

        return fail
