"""One call of the encoder, whatever it is asked for, and nothing wrong in what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from PIL.Image import Image

from app.engine.jobs import Payload, Task, Vectors
from app.errors import EncodingFailed
from models.branches.keywords import KeywordSlot
from models.protocol import Encoder

Result: TypeAlias = tuple[Vectors, Sequence[KeywordSlot]]


def encode(encoder: Encoder, task: Task, payloads: Sequence[Payload]) -> list[Result]:
    """Of every payload, checked: what a vector or a slot is not, fails here and not in somebody's answer.

    Raises `EncodingFailed`, and whatever the encoder raises.
    """
    results = _embed(encoder, task, payloads)
    if len(results) != len(payloads):
        raise EncodingFailed(f"the encoder gave {len(results)} results for {len(payloads)} queries")
    for payload, (vectors, slots) in zip(payloads, results, strict=True):
        if not _fits(payload, vectors, encoder.dim) or not np.isfinite(vectors).all():
            raise EncodingFailed(f"the encoder gave {vectors.shape} for {task.kind}, or values that are no numbers")
        if not all(np.isfinite([slot.start, slot.end, *slot.vector]).all() for slot in slots):
            raise EncodingFailed("the encoder gave a keyword slot with values that are no numbers")
    return results


def _fits(payload: Payload, vectors: Vectors, dim: int) -> bool:
    if isinstance(payload, tuple):
        return vectors.ndim == 2 and len(vectors) == len(payload)
    return vectors.shape == (dim,)


def _embed(encoder: Encoder, task: Task, payloads: Sequence[Payload]) -> list[Result]:
    if task.kind == "speech":
        waves = [wave for wave in payloads if isinstance(wave, np.ndarray)]
        found = encoder.embed_speech(waves, task.branch, task.keywords)
        slots: Sequence[Sequence[KeywordSlot]] = [()] * len(waves) if found.keywords is None else found.keywords
        return list(zip(found.vectors, slots, strict=True))
    if task.kind == "words":
        return [(_words(encoder, texts), ()) for texts in payloads if isinstance(texts, tuple)]
    if task.kind == "image":
        vectors = encoder.embed_images([image for image in payloads if isinstance(image, Image)])
    else:
        vectors = encoder.embed_texts([text for text in payloads if isinstance(text, str)])
    return [(vector, ()) for vector in vectors]


def _words(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    vectors = encoder.slot_words(texts)
    if vectors is None:
        raise EncodingFailed("the model has no keyword slots to score words with")
    return vectors
