"""What all devices have, so that a loss is of the whole batch and not of a device's share: negatives are all of it, and
means are over all of it.
"""

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


def mean_of_all(total: Tensor, count: Tensor) -> Tensor:
    """The mean of all processes' numbers, of which this one has `count` with the sum `total`; 0 where nobody has any.

    Gradients find their way back as in `everyones`. Every process has to come here, also one that has none.
    """
    processes = world()[1]
    sums = torch.stack([total.detach(), count.to(total.dtype)])
    if processes > 1:
        dist.all_reduce(sums)
    whole, all = sums[0], sums[1].clamp(min=1)
    share = processes * total / all
    return share + (whole / all - share.detach())


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
