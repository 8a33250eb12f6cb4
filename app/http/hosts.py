"""Who may ask from inside a browser: pages of other sites reach this machine too, with its own address as theirs."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ForeignOrigin, HostNotAllowed, ServiceError, kind_of, problem
from app.state import state_of


class HostGuard:
    """Refuses requests that come over the loopback and call the service by a name that is not its own, and WebSockets
    of other origins' pages.

    A page can have its own name point at 127.0.0.1 and then read and write what is there; but it cannot make the name
    an address, or localhost.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self.app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] != "lifespan":
                self._judge(scope)
        except ServiceError as error:
            scope["state"]["problem_code"] = kind_of(error).code
            response = problem(error, path=scope["path"], request_id=scope["state"]["request_id"])
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _judge(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host")
        # Without one it is no browser.
        if _over_loopback(scope) and host is not None and not is_own(host, self._allowed):
            raise HostNotAllowed(
                f"The service is not called {host[:80]!r}. If it is, name it in SPEECHCLIP_ALLOWED_HOSTS."
            )
        origin = headers.get("origin")
        if scope["type"] == "websocket" and origin is not None and not self._is_same(origin, host or ""):
            # Browsers let every page open one, send the service's cookie with it, and let the page read what comes.
            raise _foreign(origin)

    def _is_same(self, origin: str, host: str) -> bool:
        given = _netloc(origin)
        return given == host.lower() or is_named(given, self._allowed)


async def from_own_page(request: Request) -> None:
    """Dependency of whatever changes something: raises `ForeignOrigin` for a page of another origin.

    A form of any page can be sent here without being asked for permission first. Programs send no origin.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if origin is None and site in ("same-origin", "none"):
        return
    host, allowed = request.headers.get("host", ""), state_of(request).settings.allowed_hosts
    given = _netloc(origin or "")
    # The same name is not enough: see `HostGuard`.
    same = given == host.lower() and is_own(host, allowed)
    if site not in ("same-origin", "none") or not (same or is_named(given, allowed)):
        raise _foreign(origin or "another origin")


def _foreign(origin: str) -> ForeignOrigin:
    return ForeignOrigin(
        f"A page of {origin[:80]!r} may not do this here. If it is your own, name its host in SPEECHCLIP_ALLOWED_HOSTS."
    )


def is_own(host: str, allowed: Collection[str]) -> bool:
    """Whether a Host header is an address, localhost, or one of the names allowed."""
    name = _name(host)
    return name == "localhost" or _address(name) is not None or is_named(host, allowed)


def is_named(host: str, allowed: Collection[str]) -> bool:
    """Whether a Host header, with or without its port, is one of the names allowed; `*` is any."""
    return bool(host) and ("*" in allowed or host.lower() in allowed or _name(host) in allowed)


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # brackets that hold no address
        return ""


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # brackets that hold no address
        return ""


@lru_cache(256)
def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _over_loopback(scope: Scope) -> bool:
    """By the address that the connection came in at, which no client can choose."""
    server = scope.get("server")
    address = _address(str(server[0])) if server else None
    return address is not None and address.is_loopback
