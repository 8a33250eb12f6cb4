"""A port for operators alone: what needs the scope admin is answered there, and is not there for anybody else."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.scopes import needed_scope
from app.errors import kind_of, problem

PROBES = frozenset({"/livez", "/readyz"})


class AdminPort:
    """Without a port of their own, operators ask where everybody does."""

    def __init__(self, app: ASGIApp, port: int | None) -> None:
        self.app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._port is None or scope["type"] == "lifespan" or self._belongs(scope):
            await self.app(scope, receive, send)
            return
        error, state = HTTPException(404), scope["state"]
        state["problem_code"] = kind_of(error).code
        await problem(error, path=scope["path"], request_id=state["request_id"])(scope, receive, send)

    def _belongs(self, scope: Scope) -> bool:
        operators = scope["server"][1] == self._port
        path = scope["path"]
        return path in PROBES or operators == (needed_scope(scope.get("method", "GET"), path) == "admin")
