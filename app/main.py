"""The application, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.access.guard import Guard
from app.access.keys import read_keys
from app.access.ports import AdminPort
from app.errors import PROBLEMS, problem_handler
from app.http.context import RequestContext
from app.http.door import Door
from app.http.hosts import HostGuard
from app.http.limits import BodyLimits
from app.metrics import Metrics
from app.openapi import openapi_of
from app.routes import collections, embeddings, items, operations, pages, search, session, stream, upkeep
from app.settings import Settings
from app.startup import OnStep, Startup
from app.state import State
from app.tracing import make_traces
from app.version import service_version
from index.backend import Store
from models.protocol import Encoder

DESCRIPTION = (
    "Say what you are looking for, and get the nearest images, captions and keywords. "
    "The speech is never transcribed: it goes straight into the space that images and texts share."
)


def create_app(
    settings: Settings, encoder: Encoder | None = None, store: Store | None = None, on_step: OnStep | None = None
) -> FastAPI:
    """The service. Without an encoder it loads `settings.model` and makes the default collections, in the background.

    It listens at once; `/readyz` says when queries are answered, and `on_step` is told how far the start has come.
    """
    metrics, traces = Metrics(), make_traces(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state = app.state.service = State(settings, metrics, traces)
        startup = Startup(state, encoder, store, on_step)
        startup.begin()
        try:
            yield
        finally:
            state.readiness.end()
            await asyncio.to_thread(startup.stop)
            await asyncio.to_thread(state.close)
            await asyncio.to_thread(startup.close)
            await asyncio.to_thread(traces.close)

    app = FastAPI(
        title="SpeechCLIP Search",
        version=service_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,  # `routes.pages` has it
        docs_url=None,
        redoc_url=None,
        # A redirect would repeat whatever host the request claims.
        redirect_slashes=False,
        # Its own would tell query strings and the texts of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        # What generated clients call their methods.
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.api_keys = read_keys(settings.api_keys_file, settings.api_keys)
    _add_routes(app)
    for kind in (*PROBLEMS, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, problem_handler)
    # The last one added is the outermost.
    app.add_middleware(Door)
    app.add_middleware(BodyLimits, settings=settings, metrics=metrics)
    app.add_middleware(Guard, keys=app.state.api_keys)
    app.add_middleware(AdminPort, port=settings.admin_port)
    app.add_middleware(HostGuard, allowed=settings.allowed_hosts)
    app.add_middleware(
        RequestContext,
        metrics=metrics,
        traces=traces,
        slow_query_ms=settings.slow_query_ms,
        is_draining=partial(is_draining, app),
    )
    app.openapi = openapi_of(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def drain(app: FastAPI) -> None:
    """Say from now on that the service is stopping; whoever comes is answered still."""
    if (state := _state(app)) is not None:
        state.readiness.drain()


def end(app: FastAPI) -> None:
    """Let come to an end what could go on for long: nobody else comes."""
    if (state := _state(app)) is not None:
        state.readiness.end()


def is_draining(app: FastAPI) -> bool:
    """Whether whoever comes should go elsewhere the next time."""
    state = _state(app)
    return state is not None and state.readiness.phase == "draining"


def is_starting(app: FastAPI) -> bool:
    """Whether the model and the collections are still being loaded."""
    state = _state(app)
    return state is None or state.readiness.phase == "starting"


def is_broken(app: FastAPI) -> bool:
    """Whether the model has stopped to work for good, so that only a new process can help."""
    state = _state(app)
    return state is not None and state.broken


def _state(app: FastAPI) -> State | None:
    """None before the start."""
    state: State | None = getattr(app.state, "service", None)
    return state


def _add_routes(app: FastAPI) -> None:
    for paths in (search, stream, embeddings, collections, items, upkeep, operations):
        app.include_router(paths.router)
        app.include_router(paths.router, prefix="/v1", include_in_schema=False)
    for routes in (pages.router, session.router):
        app.include_router(routes)
