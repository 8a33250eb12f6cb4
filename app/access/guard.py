"""The door: ASGI middleware that asks for a key, looks at its scopes, and counts its requests."""

from __future__ import annotations

import math
import time

from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from app.access.keys import ApiKey, ApiKeys
from app.access.scopes import needed_scope
from app.errors import Forbidden, RateLimited, ServiceError, Unauthorized, kind_of, problem
from app.http.sockets import refuse_at_the_door

COOKIE = "speechclip_key"


class Guard:
    """Lets through who has a key of the scope that a request needs; without any keys, everybody."""

    def __init__(self, app: ASGIApp, keys: ApiKeys) -> None:
        self.app = app
        self._keys = keys
        self._counted = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if not self._keys or scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            await self._judge(scope)
        except ServiceError as error:
            if scope["type"] == "websocket":
                await refuse_at_the_door(error, scope, receive, send)
                return
            state = scope["state"]
            state["problem_code"] = kind_of(error).code
            await problem(error, path=scope["path"], request_id=state["request_id"])(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _judge(self, scope: AsgiScope) -> None:
        needed = needed_scope(scope.get("method", "GET"), scope["path"])
        if needed is None:
            return
        key = self._key(scope)
        scope["state"]["api_key"] = key.name
        if needed not in key.scopes:
            raise Forbidden(f"The key {key.name!r} is not for this: it has no scope {needed!r}.")
        if key.rate is not None and not await self._counted.hit(key.rate, key.name):
            window = await self._counted.get_window_stats(key.rate, key.name)
            wait_s = max(1, math.ceil(window.reset_time - time.time()))
            raise RateLimited(f"The key {key.name!r} may ask {key.rate}.", wait_s)

    def _key(self, scope: AsgiScope) -> ApiKey:
        secret = presented(Headers(scope=scope))
        if secret is None:
            raise Unauthorized("Send an API key: Authorization: Bearer KEY, or X-API-Key: KEY.")
        key = self._keys.find(secret)
        if key is None:
            raise Unauthorized("This API key is not known here.")
        return key


def presented(headers: Headers) -> str | None:
    """The key that a request brings, from whichever place: a header of programs, or the page's cookie."""
    kind, _, secret = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return secret.strip()
    if given := headers.get("x-api-key"):
        return given
    # The standard library's parser drops every cookie for one that it does not like, which may be another service's.
    return cookie_parser(headers.get("cookie", "")).get(COOKIE) or None
