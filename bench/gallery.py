"""A collection to search: random vectors, which cost a search as much as any."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from index.manifest import Kind
from index.records import Record
from index.store import Store
from models.folder import find_model

IMAGES = 1900
SIZES: dict[Kind, int] = {"images": IMAGES, "captions": 1, "keywords": 1}


def make_collections(data: Path, model: str, seed: int) -> None:
    """What the service would make at its first start, without embedding anything."""
    folder, random = find_model(model), np.random.default_rng(seed)
    store = Store(data / "collections")
    for kind, count in SIZES.items():
        with store.create(kind, kind, folder.config.embedding_size, folder.fingerprint) as collection:
            vectors = random.standard_normal((count, collection.dim), np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            collection.add([Record(f"{number:05}", caption=f"image {number}") for number in range(count)], vectors)
