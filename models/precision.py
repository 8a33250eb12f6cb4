"""In which numbers a model's matrix products are made."""

from __future__ import annotations

import torch

from models.config import Precision
from models.errors import PrecisionError
from models.packed.support import has_bfloat16

KINDS: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16}


def require(precision: Precision, device: torch.device) -> None:
    """Raises `PrecisionError` where this machine has no units for it: it would only be slower."""
    if precision == "bf16" and not (has_bfloat16() if device.type == "cpu" else torch.cuda.is_bf16_supported()):
        raise PrecisionError("this machine does not multiply bfloat16 by itself: set the precision to fp32")
