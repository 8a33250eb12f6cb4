"""In which numbers a model's matrix products are made."""

from __future__ import annotations

import torch

from models.config import Precision
from models.errors import PrecisionError
from models.packed.support import has_bfloat16

KINDS: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def require(precision: Precision, device: torch.device) -> None:
    """Raises `PrecisionError` where this machine has no units for it: it would only be slower."""
    if precision == "bf16" and not _multiplies_bfloat16(device):
        raise PrecisionError("this machine does not multiply bfloat16 by itself: set the precision to fp32")


def keep_exact(precision: Precision, device: torch.device) -> None:
    """Convolutions of fp32 on a GPU are made of float32: torch takes TF32, of ten bits, for them. Of the process."""
    if precision == "fp32" and device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cpu":
        return has_bfloat16()
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))
