"""What every request gets: an id, safe headers, a line in the log, and a readable error whatever happens inside."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import MEDIA_TYPE, framework_kind, problem, problem_of_status
from app.metrics import Metrics
from app.stopwatch import Stopwatch
from app.tracing import Trace, Traces

logger = logging.getLogger(__name__)
access = logging.getLogger("app.access")
slow = logging.getLogger("app.slow")

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
LOGGED_CHARACTERS = 200  # of a path; it can be as long as a stranger likes
SWITCHED = 101  # to a WebSocket
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
RAW_SAFE_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SAFE_HEADERS.items()]
"""As ASGI and h11 have them."""


class RequestContext:
    """The outermost middleware: no exception and no plain-text error of the framework gets past it."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, traces: Traces, slow_query_ms: float, is_draining: Callable[[], bool]
    ) -> None:
        """is_draining: whether clients are to leave their connections, and come back to another copy of the service."""
        self.app = app
        self._metrics, self._traces, self._slow_query_ms = metrics, traces, slow_query_ms
        self._is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._is_draining)
        with self._traces.request(exchange.scope) as trace:
            try:
                await self.app(exchange.scope, receive, exchange.send)
            # The last place where an unplanned exception can still become an answer.
            except Exception as error:
                logger.exception("unplanned exception", extra={"request_id": exchange.request_id})
                await exchange.fail(error)
            finally:
                self._note(exchange, trace)

    def _note(self, exchange: _Exchange, trace: Trace) -> None:
        ms = round((time.perf_counter() - exchange.started_at) * 1000, 1)
        route, status = exchange.route, exchange.final_status
        method = exchange.method if exchange.method in METHODS else "other"
        self._metrics.requests.labels(route, method, str(status)).inc()
        if status >= 400:
            self._metrics.refusals.labels(exchange.code or framework_kind(status).code).inc()
        level = logging.DEBUG if route in QUIET_ROUTES else logging.INFO
        fields = {
            "method": exchange.method,
            # Without the query string: it is nobody's business but the sender's.
            "path": exchange.scope["path"][:LOGGED_CHARACTERS],
            "status": status,
            "ms": ms,
            "request_id": exchange.request_id,
        }
        if trace.trace_id:
            fields["trace_id"] = trace.trace_id
        if key := exchange.scope["state"].get("api_key"):
            fields["key"] = key
        if exchange.code:
            fields["code"] = exchange.code
        access.log(level, "request", extra=fields)
        trace.route, trace.status, trace.code = route, status, exchange.code
        trace.facts["request_id"] = exchange.request_id
        watch: Stopwatch | None = exchange.scope["state"].get("watch")
        if watch is not None:
            trace.facts |= watch.facts()
            if 0 < self._slow_query_ms < ms:
                size = exchange.scope["state"].get("body_bytes", 0)
                told = {"route": route, "status": status, "ms": ms, "bytes": size, "request_id": exchange.request_id}
                self._note_slow(watch, told)

    def _note_slow(self, watch: Stopwatch, fields: Mapping[str, object]) -> None:
        """Where the time went and how much there was to do; nothing of what was said, shown or typed."""
        self._metrics.slow.inc()
        stages = {f"{stage}_ms": round(seconds * 1000, 1) for stage, seconds in watch.seconds.items()}
        slow.warning("slow query", extra={**fields, **stages, **watch.facts()})


class _Exchange:
    """One request and what has been answered to it so far."""

    def __init__(self, scope: Scope, send: Send, is_draining: Callable[[], bool]) -> None:
        self.started_at = time.perf_counter()
        # A WebSocket begins as a GET.
        self.method: str = scope.get("method", "GET")
        self._socket = scope["type"] == "websocket"
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        # HEAD is GET whose body stays here, on every path.
        method = "GET" if self.method == "HEAD" else self.method
        state = {**scope.get("state", {}), "request_id": self.request_id}
        self.scope: Scope = {**scope, "method": method, "state": state}
        self.status: int | None = None
        self._send, self._is_draining = send, is_draining
        self._replaced = False

    @property
    def route(self) -> str:
        """The template of the path, such as ``/search/{collection}``: few of them, whatever is asked for."""
        return str(getattr(self.scope.get("route"), "path", "unmatched"))

    @property
    def code(self) -> str | None:
        code = self.scope["state"].get("problem_code")
        return None if code is None else str(code)

    @property
    def final_status(self) -> int:
        """Of a WebSocket that ended with a problem, that of the problem; 0 where nothing was answered."""
        return int(self.scope["state"].get("problem_status", self.status or 0))

    async def send(self, message: Message) -> None:
        match message["type"].removeprefix("websocket."):
            case "http.response.start":
                await self._start(message)
            case "http.response.body":
                if not self._replaced:
                    await self._send({**message, "body": b""} if self.method == "HEAD" else message)
            case "accept":
                self.status = SWITCHED
                await self._send({**message, "headers": [*message.get("headers", ()), self._id_header]})
            case "close" if self.status is None:
                # What no route takes.
                self.status = 404
                await self._send_plain_error(self.status, MutableHeaders())
            case _:
                await self._send(message)

    @property
    def _id_header(self) -> tuple[bytes, bytes]:
        return b"x-request-id", self.request_id.encode()

    async def fail(self, error: Exception) -> None:
        """Answer with `error`, unless an answer is on its way already: then only its end can be kept back."""
        if self.status is not None:
            raise ConnectionAbortedError("the answer broke off") from error
        self.scope["state"]["problem_code"] = "internal"
        await problem(error, path=self.scope["path"], request_id=self.request_id)(self.scope, _nothing, self.send)

    async def _start(self, message: Message) -> None:
        status = self.status = message["status"]
        headers = MutableHeaders(raw=list(message.get("headers", ())))
        if status >= 400 and headers.get("content-type") != MEDIA_TYPE:
            self._replaced = True
            await self._send_plain_error(status, headers)
            return
        self._make_safe(headers)
        await self._send({**message, "headers": headers.raw})

    async def _send_plain_error(self, status: int, headers: MutableHeaders) -> None:
        """An error that some part of the framework wrote as plain text, in our own shape."""
        response = problem_of_status(status, path=self.scope["path"], request_id=self.request_id)
        for name in ("allow", "content-range", "connection"):
            if name in headers:
                response.headers[name] = headers[name]
        self._make_safe(response.headers)
        body = b"" if self.method == "HEAD" else bytes(response.body)
        kind = "websocket.http.response" if self._socket else "http.response"
        await self._send({"type": f"{kind}.start", "status": status, "headers": response.raw_headers})
        await self._send({"type": f"{kind}.body", "body": body})

    def _make_safe(self, headers: MutableHeaders) -> None:
        headers["X-Request-ID"] = self.request_id
        if self._is_draining():
            headers["Connection"] = "close"
        there = {name for name, _ in headers.raw}
        headers.raw.extend(safe for safe in RAW_SAFE_HEADERS if safe[0] not in there)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
