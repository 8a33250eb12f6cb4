"""What this processor and this build of PyTorch can do."""

from __future__ import annotations

import torch


def can_pack() -> bool:
    """Whether oneDNN is there, with the operations on packed weights."""
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def has_bfloat16() -> bool:
    """Whether the processor multiplies matrices of bfloat16 itself: otherwise they are slower than float32."""
    if not can_pack():
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
