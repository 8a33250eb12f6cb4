"""The ports: free, or held by a running service, or by somebody else."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2

from app.diagnosis.findings import Finding, failed, ok, warned
from app.settings import Settings
from app.version import DISTRIBUTION, service_version

PATIENCE_S = 3.0
FIRST_FREE_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def check_ports(settings: Settings) -> Iterator[Finding]:
    """The address is this machine's; whoever answers there is asked who it is."""
    if settings.port == 0:
        yield ok("port", "the system chooses one")
        return
    reason = _not_ours(settings.host)
    if reason:
        yield failed("port", f"cannot listen on {settings.host}: {reason}", "set SPEECHCLIP_HOST, to 127.0.0.1 say")
        return
    for port in filter(None, (settings.port, settings.admin_port)):
        yield _check(_reachable(settings.host), port)


def _check(host: str, port: int) -> Finding:
    name = f"port {port}"
    if not _listens(host, port):
        if port < _first_port():
            return failed(name, "only root may listen on it", "set SPEECHCLIP_PORT to one above 1023")
        return ok(name, "free")
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        with httpx2.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as service:
            return _ask(name, service)
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return failed(name, "somebody else listens on it", "end that program, or set SPEECHCLIP_PORT")


def _ask(name: str, service: httpx2.Client) -> Finding:
    ready = service.get("/readyz")
    answer = _object(ready)
    if ready.status_code != 200 and "code" not in answer:
        return failed(name, "a program that is not this service listens on it", "end it, or set SPEECHCLIP_PORT")
    info = _object(service.get("/info"))
    version = str(info.get("version", "")) if info.get("name") == DISTRIBUTION else ""
    told = f"the service answers{f', version {version}' if version else ''}"
    if version and version != service_version():
        return warned(name, told, f"restart it: version {service_version()} is installed")
    if ready.status_code == 503:
        return warned(name, f"{told}: {answer.get('detail')}", "wait, or read its log")
    return ok(name, f"{told}, and is ready" if ready.status_code == 200 else told)


def _object(answer: httpx2.Response) -> dict[str, object]:
    with suppress(ValueError):
        body = answer.json()
        if isinstance(body, dict):
            return body
    return {}


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), PATIENCE_S).close()
    except OSError:
        return False
    return True


def _not_ours(host: str) -> str | None:
    """Why the host is no address of this machine: a port that the system chooses is held for a moment."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _reachable(host: str) -> str:
    """An address that leads to it from here."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            return "127.0.0.1" if address.version == 4 else "::1"
    return host


def _first_port() -> int:
    if os.geteuid() == 0:
        return 0
    with suppress(OSError, ValueError):
        return int(FIRST_FREE_PORT.read_text())
    return 1024
