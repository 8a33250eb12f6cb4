"""What a checkpoint was trained with, in a few letters: with anything else it is not gone on from."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from training.nano.corpora import Weighted
from training.nano.spoken_scenes import SpokenScenes


def digest(said: Weighted, scenes: SpokenScenes | None, settings: Sequence[object]) -> str:
    """Of every utterance, how often it is drawn, the pictures of scenes, and settings as they are written."""
    corpus, weights = said
    found = blake2b(repr([*settings, corpus.phrases, corpus.engines.tolist()]).encode(), digest_size=6)
    pictures = [] if scenes is None else [scenes.pixels]
    for array in (corpus.rows, corpus.samples, weights, *pictures):
        found.update(f"{array.shape} {array.dtype}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
