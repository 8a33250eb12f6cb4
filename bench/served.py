"""`python -m bench.served VARIANT`: the service as a rival would have it. Settings come as always."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import models.encoder
from app.server import serve
from app.settings import Settings
from bench.recognition import Recognition
from models.encoder import Encoder


def _batching(encoder: Encoder) -> Encoder:
    encoder.batched = True
    return encoder


VARIANTS: Mapping[str, Callable[[Encoder], Encoder]] = {
    "batches": _batching,
    "recognition": Recognition,
}

if __name__ == "__main__":
    load, vary = models.encoder.load_encoder, VARIANTS[sys.argv[1]]
    setattr(models.encoder, "load_encoder", lambda *chosen: vary(load(*chosen)))  # noqa: B010  mypy would want the same class
    serve(Settings())
