"""Vectors of all devices, so that the negatives of an utterance are all of the batch and not its device's share."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world() -> tuple[int, int]:
    """(which of them this process is, how many processes train together)."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def everyones(rows: Tensor) -> Tensor:
    """(B, ...) of every process, in their order, (world * B, ...); B must be the same in all of them.

    Gradients find their way back: when processes average theirs, as they do at the end of a step, the average is the
    gradient of one process that has the whole batch.
    """
    if world()[1] == 1:
        return rows
    if not rows.requires_grad:
        return _gathered(rows)
    gathered: Tensor = _Gather.apply(rows)  # type: ignore[no-untyped-call]
    return gathered


def _gathered(rows: Tensor) -> Tensor:
    rows = rows.contiguous()
    parts = [torch.empty_like(rows) for _ in range(world()[1])]
    dist.all_gather(parts, rows)
    return torch.cat(parts)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.size = len(rows)
        return _gathered(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Every process has computed the same loss of the same vectors: what is due to these rows is in all of them.
        summed = gradients[0].contiguous()
        dist.all_reduce(summed)
        start = world()[0] * ctx.size
        return summed[start : start + ctx.size]
