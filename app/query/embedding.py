"""A query becomes a vector: decoded, encoded, or looked up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.engine import Payload, Task
from app.errors import InvalidParameter
from app.query.requests import AnyQuery, MediaQuery
from app.schemas import QueryInfo
from app.state import Loaded, State
from app.stopwatch import Stopwatch
from models.audio import Waveform, decode_at_once
from models.branches.keywords import KeywordSlot
from models.config import Branch
from models.errors import BranchError
from models.protocol import Encoder

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """A query's vector, (E,) float32 of unit length, and what was understood of the query.

    slots: of audio, where they were asked for and the model has them.
    """

    vector: Vector
    info: QueryInfo
    slots: Sequence[KeywordSlot] = ()


async def embed(
    state: State, loaded: Loaded, query: MediaQuery, watch: Stopwatch, *, keywords: bool = False
) -> Embedded:
    """The vector of audio, an image or a text; with `keywords` also the keyword slots of audio.

    Raises `BranchError` before anything is decoded, and `Overloaded` while too many others are at it.
    """
    require_branch(loaded.engine.encoder, query.branch)
    with state.admission.hold():
        return await embed_admitted(state, loaded, query, watch, keywords)


def require_branch(encoder: Encoder, branch: Branch | None) -> None:
    """Raise `BranchError`, which names those there are, unless the model has the branch. None is always there."""
    if branch is not None and branch not in encoder.branches:
        known = " and ".join(encoder.branches)
        raise BranchError(f"the model {encoder.name!r} has no branch {branch!r}; it has {known}")


async def embed_admitted(
    state: State, loaded: Loaded, query: MediaQuery, watch: Stopwatch, keywords: bool = False
) -> Embedded:
    """The same for a query that has its place already, and a branch that the model has."""
    if query.audio is not None:
        wave = await _decoded(state, query.audio.data, watch)
        info = _info("audio", wave.format, round(wave.seconds, 3), wave.truncated)
        return await _encode(state, loaded, Task("speech", query.branch, keywords), wave.samples, info, watch)
    if query.image is not None:
        image, name = await watch.run("decode", state.decoding, partial(state.decoder.image, query.image.data))
        return await _encode(state, loaded, Task("image"), image, _info("image", name), watch)
    return await _encode(state, loaded, Task("text"), query.text or "", _info("text"), watch)


async def _decoded(state: State, data: bytes, watch: Stopwatch) -> Waveform:
    began = time.perf_counter()
    wave = decode_at_once(data, state.settings.max_seconds)
    if wave is None:
        return await watch.run("decode", state.decoding, partial(state.decoder.audio, data))
    watch.note("decode", time.perf_counter() - began)
    return wave


async def find_vector(
    state: State, loaded: Loaded, query: AnyQuery, target: str, watch: Stopwatch, *, keywords: bool = False
) -> Embedded:
    """The vector to search collection `target` with: the caller's own, a record's, or that of media.

    With `keywords` also the keyword slots of audio.
    """
    if query.vector is not None:
        return Embedded(unit_vector(query.vector, loaded.engine.encoder.dim), _info("vector"))
    if query.id is not None:
        look_up = partial(_stored, loaded, query.collection or target, query.id)
        return Embedded(await state.searching.run(look_up), _info("id"))
    return await embed(state, loaded, query, watch, keywords=keywords)


async def _encode(
    state: State, loaded: Loaded, task: Task, payload: Payload, info: QueryInfo, watch: Stopwatch
) -> Embedded:
    encoded = await loaded.engine.encode(task, payload, state.settings.deadline_s - watch.elapsed_s)
    watch.encoded(task.kind, encoded, info.seconds)
    return Embedded(encoded.vector, info, encoded.slots)


def _stored(loaded: Loaded, collection: str, id: str) -> Vector:
    source = loaded.catalogue.get(collection)
    source.require(loaded.engine.encoder.fingerprint)
    return source.vector(id)


def unit_vector(numbers: list[float], dim: int) -> Vector:
    """Numbers of any length as a unit vector (dim,). Raises `InvalidParameter` for others than `dim`, or all zeros."""
    if len(numbers) != dim:
        raise InvalidParameter(f"vector: has {len(numbers)} numbers, but those of this model have {dim}")
    wide = np.asarray(numbers, dtype=np.float64)
    largest = np.abs(wide).max()
    if largest == 0:
        raise InvalidParameter("vector: is all zeros, and points nowhere")
    # First into [-1, 1], so that the squares of huge or tiny numbers neither overflow nor vanish.
    wide = wide / largest
    unit: Vector = (wide / np.linalg.norm(wide)).astype(np.float32)
    return unit


def _info(kind: str, format: str | None = None, seconds: float | None = None, truncated: bool = False) -> QueryInfo:
    return QueryInfo.model_validate({"kind": kind, "format": format, "seconds": seconds, "truncated": truncated})
