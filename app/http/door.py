"""Refusals at the door: while the house is full, a file is refused before anything is read, routed or parsed.

Whatever a refusal costs is missing from the answers to those who are inside.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import Overloaded, kind_of, problem
from app.query.queries import is_json, media_type_of
from app.state import State

QUERIES = re.compile(r"(/v1)?/(search/[^/]+|keywords|embed)")


class Door:
    """ASGI middleware. JSON passes: it may be a vector, which takes no place inside."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _judge(scope)
        except Overloaded as error:
            scope["state"]["problem_code"] = kind_of(error).code
            response = problem(error, path=scope["path"], request_id=scope["state"]["request_id"])
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _judge(scope: Scope) -> None:
    if scope["type"] != "http" or scope["method"] != "POST" or not QUERIES.fullmatch(scope["path"]):
        return
    state: State | None = getattr(scope["app"].state, "service", None)
    if state is not None and state.partial is not None and not is_json(media_type_of(Headers(scope=scope))):
        state.admission.require()
