"""Muon for the matrices inside the network, AdamW for everything else, one warm-up and linear decay for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import AdamW, Muon

from training.nano.recipe import Stage


class Optimiser:
    def __init__(self, modules: Iterable[nn.Module], stage: Stage, scalars: Iterable[nn.Parameter] = ()) -> None:
        named = {id(p): (name, p) for module in modules for name, p in module.named_parameters() if p.requires_grad}
        matrices = [p for name, p in named.values() if p.ndim == 2 and "embedding" not in name and "cls" not in name]
        chosen = {id(p) for p in matrices}
        others = [*(p for key, (_, p) in named.items() if key not in chosen), *scalars]
        self.parameters: list[Tensor] = [*matrices, *others]
        self.stage = stage
        self.optimisers = [
            Muon(matrices, lr=stage.matrix_rate, weight_decay=0.01, adjust_lr_fn="original"),
            AdamW(others, lr=stage.rate, weight_decay=0.01, betas=(0.9, 0.98)),
        ]
        self._peaks = [stage.matrix_rate, stage.rate]

    def step(self, loss: Tensor, number: int) -> float:
        """Back-propagate and update; returns the norm of the gradient before clipping."""
        for optimiser, peak in zip(self.optimisers, self._peaks, strict=True):
            optimiser.param_groups[0]["lr"] = peak * schedule(number, self.stage)
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.parameters, 4.0)
        for optimiser in self.optimisers:
            optimiser.step()
        return float(norm)

    def state_dict(self) -> list[dict[str, object]]:
        return [optimiser.state_dict() for optimiser in self.optimisers]

    def load_state_dict(self, states: list[dict[str, object]]) -> None:
        for optimiser, state in zip(self.optimisers, states, strict=True):
            optimiser.load_state_dict(state)


def schedule(step: int, stage: Stage) -> float:
    """Linear warm-up, then linear decay to nothing at the last step."""
    warm = max(1, int(stage.steps * stage.warmup))
    if step < warm:
        return (step + 1) / warm
    return max(0.0, (stage.steps - step) / max(1, stage.steps - warm))


@contextmanager
def autocast() -> Iterator[None]:
    """bf16 where the machine has it; the losses themselves are computed in float32."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.autocast(device, torch.bfloat16), sdpa_kernel(_attention(device)):
        yield


def _attention(device: str) -> list[SDPBackend]:
    # On a processor, the fused kernel is slower than plain products for utterances as short as these.
    fused = [] if device == "cpu" else [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    return [*fused, SDPBackend.MATH]
