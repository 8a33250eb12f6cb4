"""What the encoder's arrangement and its precision change: vectors and ranks, against the network as it is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from app.demo.collections import DRAWINGS
from bench import full_size
from bench.report import Report
from models.audio import decode
from models.config import Precision
from models.encoder import SpeechClipEncoder
from models.errors import AudioError
from models.images import decode_image
from models.listeners import pad
from models.packed.support import has_bfloat16

_FIRST = 10
_BATCH = 64
Vectors = NDArray[np.float32]
Waves = Sequence[NDArray[np.float32]]


def precision(model: str, recordings: Path, max_seconds: float, threads: int) -> Report:
    """Every recording below the folder is a query to the drawings of the default collection."""
    torch.set_num_threads(threads)
    folder, waves = full_size.model(model, 0), list(_heard(recordings, max_seconds))
    wanted: list[Precision] = ["fp32", "bf16"] if has_bfloat16() else ["fp32"]
    encoders = {name: full_size.encoder(folder, name) for name in wanted}
    network, gallery = folder.load(), _drawings(encoders["fp32"])
    with torch.inference_mode():
        expected = np.concatenate([network.embed_speech(*pad([wave])).numpy() for wave in waves])
    rows = [
        {"": name, **changes(expected, encoder.embed_speech(waves).vectors, gallery)}
        for name, encoder in encoders.items()
    ]
    report = Report("Precision", {"model": model, "recordings": len(waves), "drawings": len(gallery)})
    report.add("Against the network in float32", rows)
    return report


def changes(expected: Vectors, found: Vectors, gallery: Vectors) -> dict[str, float]:
    """Of queries (Q, E), each as it should be and as it is, to (N, E); all of unit length."""
    errors = 1 - (expected.astype(np.float64) * found).sum(1)
    before, after = (np.argsort(-(queries @ gallery.T), 1, kind="stable")[:, :_FIRST] for queries in (expected, found))
    return {
        "cosine error, median": float(np.median(errors)),
        "worst": float(errors.max()),
        "first the same, %": 100 * float((before[:, 0] == after[:, 0]).mean()),
        "first ten the same, %": 100 * float((np.sort(before) == np.sort(after)).all(1).mean()),
    }


def _heard(folder: Path, max_seconds: float) -> Iterator[NDArray[np.float32]]:
    """What can be decoded of all files below it, if it is not too long."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            yield decode(path.read_bytes(), max_seconds).samples
        except AudioError:
            continue


def _drawings(encoder: SpeechClipEncoder) -> Vectors:
    images = [decode_image(path.read_bytes())[0] for path in sorted(DRAWINGS.glob("*.webp"))]
    parts = [encoder.embed_images(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
    return np.concatenate(parts)
