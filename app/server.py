"""The process: uvicorn with its timeouts, its signals and its log."""

from __future__ import annotations

import ipaddress
import logging
import math
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app import collector
from app.http.protocol import CONNECTIONS
from app.logs import configure_logging
from app.main import create_app, drain, end, is_broken, is_starting
from app.settings import Settings
from app.startup import OnStep

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 15
STOP_MARGIN_S = 5
BROKEN_STATUS = 1
BACKLOG = 512


def serve(settings: Settings, on_step: OnStep | None = None) -> None:
    """Serve until SIGTERM or SIGINT, answer what was accepted, and return.

    When the model has stopped to work for good, the process ends with a status that is not 0.
    """
    configure_logging(settings.log_level)
    app = create_app(settings, on_step=on_step)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        workers=1,
        lifespan="on",
        access_log=False,  # ours has no query string in it
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=longest_answer_s(settings) + STOP_MARGIN_S,
        **CONNECTIONS,
    )
    _warn_of_strangers(settings)
    server = _Server(config, app, settings.drain_s)
    server.run(_sockets(settings) if settings.admin_port else None)
    if is_broken(app):
        sys.exit(BROKEN_STATUS)


def longest_answer_s(settings: Settings) -> int:
    """Seconds from the first byte of a request until it is answered, or given up."""
    return math.ceil(settings.body_timeout_s + max(settings.deadline_s, settings.batch_deadline_s))


def _warn_of_strangers(settings: Settings) -> None:
    locked = settings.api_keys or settings.api_keys_file
    if not locked and not _is_loopback(settings.host):
        logger.warning(
            "everybody who reaches this address may search and change everything: set SPEECHCLIP_API_KEYS_FILE",
            extra={"host": settings.host},
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _sockets(settings: Settings) -> list[socket.socket]:
    """The two that are listened on where operators have a port of their own."""
    return [_bound(settings.host, port) for port in (settings.port, settings.admin_port or 0)]


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        logger.error("cannot listen", extra={"host": host, "port": port, "reason": error.strerror or str(error)})
        sys.exit(BROKEN_STATUS)
    return bound


class _Server(uvicorn.Server):
    """Tells the application of a signal at once, and ends well after it: being asked to stop is no failure."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_s: float) -> None:
        super().__init__(config)
        self._app, self._drain_s = app, drain_s
        self._stop_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        logger.info("stopping", extra={"signal": signal.Signals(sig).name})
        drain(self._app)
        # Not kept for later, as uvicorn would: it raises the signal again at the end, and the process would die of it.
        if sig == signal.SIGTERM and self._stop_at is None:
            self._stop_at = time.monotonic() + self._drain_s
            return
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if not is_starting(self._app):
            collector.resume()
        drained = self._stop_at is not None and time.monotonic() >= self._stop_at
        return await super().on_tick(counter) or drained or is_broken(self._app)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        end(self._app)
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for bound in server.sockets:
                host, port = bound.getsockname()[:2]
                logger.info("listening", extra={"url": f"http://{f'[{host}]' if ':' in host else host}:{port}"})
