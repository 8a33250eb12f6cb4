"""The process: uvicorn with its timeouts, its signals and its log."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from app.logs import configure_logging
from app.main import create_app, drain
from app.settings import Settings

logger = logging.getLogger(__name__)

KEEP_ALIVE_S = 15
DRAIN_MARGIN_S = 5
BACKLOG = 512


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, answer what was accepted, and return."""
    if os.environ.get("WEB_CONCURRENCY", "1") != "1":
        raise ValueError("WEB_CONCURRENCY must be 1: one process owns the model; run more copies of it instead")
    configure_logging(settings.log_level)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        workers=1,
        http="h11",
        ws="none",
        lifespan="on",
        access_log=False,  # ours has no query string in it
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(settings.deadline_s) + DRAIN_MARGIN_S,
    )
    _Server(config, on_stop=lambda: drain(app)).run()


class _Server(uvicorn.Server):
    """Tells the application of a signal at once, and ends well after it: being asked to stop is no failure."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        logger.info("stopping", extra={"signal": signal.Signals(sig).name})
        self._on_stop()
        # Not kept for later, as uvicorn would: it raises the signal again at the end, and the process would die of it.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for bound in server.sockets:
                host, port = bound.getsockname()[:2]
                logger.info("listening", extra={"url": f"http://{f'[{host}]' if ':' in host else host}:{port}"})
