"""In which numbers a model's matrix products are made."""

from __future__ import annotations

from typing import Literal

import torch

from models.errors import PrecisionError
from models.packed.support import has_bfloat16

Precision = Literal["fp32", "bf16"]
"""fp32: results are those of the reference up to rounding. bf16: in about half the time, and some ranks change."""

KINDS: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def require(precision: Precision, device: torch.device) -> None:
    """Raises `PrecisionError` where this machine has no units for it: it would only be slower."""
    if precision == "bf16" and not (has_bfloat16() if device.type == "cpu" else torch.cuda.is_bf16_supported()):
        raise PrecisionError("this machine does not multiply bfloat16 by itself: set the precision to fp32")
