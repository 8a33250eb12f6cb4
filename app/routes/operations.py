"""`/livez`, `/readyz`, `/info` and `/metrics`: for those who run the service."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from app.memory import memory_in_use
from app.metrics import CONTENT_TYPE
from app.openapi import problem_responses
from app.query.requests import MAX_TOP_K
from app.routes.collections import describe, describe_all
from app.routes.search import REVISION_CHARACTERS
from app.schemas import Alive, FullModelInfo, InfoResponse, Limits, Ready, StartStep
from app.state import Loaded, State, state_of
from app.version import DISTRIBUTION, service_version

MARKDOWN = "text/markdown; charset=utf-8"

router = APIRouter(tags=["operations"])


@router.get("/livez", summary="Is the process alive?")
async def livez() -> Alive:
    """Always, while the process answers at all; the model is not asked."""
    return Alive(status="alive")


@router.get("/readyz", summary="Are queries answered?", responses=problem_responses((503,)))
async def readyz(request: Request) -> Ready:
    """Yes, once a real utterance has gone through the model and there is a collection to search, until it stops."""
    state = state_of(request)
    state.readiness.require_lasting()
    catalogue = state.loaded().catalogue
    if not catalogue.collections and (catalogue.failed or catalogue.busy):
        await state.searching.run(catalogue.require_any)
    steps = [StartStep(step=step, seconds=round(seconds, 3)) for step, seconds in state.readiness.steps.items()]
    return Ready(status="ready", started=steps)


@router.get("/info", summary="What is running here")
async def info(request: Request) -> InfoResponse:
    """The version, the model, the collections and the limits; model and collections are there once it has started."""
    state = state_of(request)
    loaded = state.partial if state.readiness.phase in ("ready", "draining") else None
    if loaded:
        loaded.catalogue.look_around(0)
    return InfoResponse(
        name=DISTRIBUTION,
        version=service_version(),
        status=state.readiness.phase,
        model=_model(loaded) if loaded else None,
        collections=describe_all(loaded, describe) if loaded else [],
        limits=_limits(state),
    )


@router.get(
    "/model/card",
    summary="Get the model card",
    response_class=Response,
    responses={
        200: {"description": "Markdown; empty where the model has no card.", "content": {"text/markdown": {}}},
        **problem_responses((503,)),
    },
)
async def model_card(request: Request) -> Response:
    """What the model was made of, how well it does and where it fails, as its makers have written it."""
    card = state_of(request).loaded().engine.encoder.card
    return Response(card, headers={"Content-Type": MARKDOWN})


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=Response,
    responses={200: {"description": "Prometheus' text format.", "content": {"text/plain": {}}}},
)
async def metrics(request: Request) -> Response:
    """Requests, refusals by code, histograms of the seconds in each stage, memory, and how large collections are."""
    state = state_of(request)
    state.metrics.admitted.set(state.admission.held)
    state.metrics.admitted_most.set(state.admission.most)
    partial = state.partial
    encoder = None if partial is None else partial.engine.encoder
    state.metrics.measure(*await asyncio.to_thread(memory_in_use, encoder))
    if partial is not None:
        catalogue, encoder = partial.catalogue, partial.engine.encoder
        catalogue.look_around(0)
        state.metrics.describe(catalogue.collections, len(catalogue.failed))
        revision = encoder.fingerprint[:REVISION_CHARACTERS]
        state.metrics.running.labels(service_version(), encoder.name, revision).set(1)
    return Response(state.metrics.render(), headers={"Content-Type": CONTENT_TYPE})


def _model(loaded: Loaded) -> FullModelInfo:
    encoder = loaded.engine.encoder
    revision = encoder.fingerprint[:REVISION_CHARACTERS]
    return FullModelInfo(
        name=encoder.name,
        revision=revision,
        dim=encoder.dim,
        fingerprint=encoder.fingerprint,
        precision=encoder.precision,
        branches=list(encoder.branches),
    )


def _limits(state: State) -> Limits:
    settings = state.settings
    return Limits(
        max_body_bytes=settings.max_body_bytes,
        max_seconds=settings.max_seconds,
        max_top_k=MAX_TOP_K,
        max_items=settings.max_items,
        max_batch_bytes=settings.max_batch_bytes,
        max_snapshot_bytes=settings.max_snapshot_bytes,
        deadline_s=settings.deadline_s,
    )
