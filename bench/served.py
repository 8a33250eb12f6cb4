"""`python -m bench.served VARIANT`: the service as a rival would have it. Settings come as always."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from app import startup
from app.apart import ApartEncoder
from app.server import serve
from app.settings import Settings
from bench.recognition import Recognition
from models.protocol import Encoder


def _batching(encoder: Encoder) -> Encoder:
    encoder.batched = True
    return encoder


VARIANTS: Mapping[str, Callable[[Encoder], Encoder]] = {
    "batches": _batching,
    "recognition": Recognition,
}

if __name__ == "__main__":
    vary = VARIANTS[sys.argv[1]]
    setattr(startup, "ApartEncoder", lambda *chosen: vary(ApartEncoder(*chosen)))  # noqa: B010  mypy would want the same class
    serve(Settings())
