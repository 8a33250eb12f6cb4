"""Pages of other sites reach this service from the browser of whoever runs it: they read nothing and change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse

from app.http.context import RequestContext
from app.http.hosts import HostGuard, is_named, is_own
from app.metrics import Metrics
from app.tracing import Untraced
from tests.app.asgi import Exchange
from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem

OWN = ["127.0.0.1:8000", "localhost", "LOCALHOST:8000", "[::1]:8000", "192.168.1.7", "localhost.:80"]
OTHERS = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "",
    "[::1",
    "a b",
    "@",
]


def ask(host: str | None, server: str = "127.0.0.1", allowed: tuple[str, ...] = ()) -> httpx2.Response:
    exchange = Exchange(path="/livez", method="GET", headers={} if host is None else {"host": host})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await HostGuard(PlainTextResponse("in"), allowed)({**scope, "server": (server, 8000)}, receive, send)

    return asyncio.run(exchange.run(RequestContext(app, Metrics(), Untraced(), 0, lambda: False), []))


@pytest.mark.parametrize("host", [*OWN, None])
def test_over_the_loopback_it_answers_to_addresses_and_localhost(host: str | None) -> None:
    assert ask(host).text == "in"


@pytest.mark.parametrize("host", OTHERS)
@pytest.mark.parametrize("server", ["127.0.0.1", "::1", "127.5.5.5"])
def test_over_the_loopback_it_answers_to_no_other_name(host: str, server: str) -> None:
    problem = assert_problem(ask(host, server), 421, "host_not_allowed")
    assert "SPEECHCLIP_ALLOWED_HOSTS" in problem["detail"]


def test_names_can_be_allowed() -> None:
    assert ask("search.example:8000", allowed=("search.example",)).text == "in"
    assert ask("search.example", allowed=("*",)).text == "in"
    assert ask("search.example:81", allowed=("search.example:80",)).status_code == 421


def test_elsewhere_it_answers_to_any_name() -> None:
    assert ask("search.example", "172.17.0.2").text == "in"
    assert ask("search.example", "testserver").text == "in"


@pytest.mark.parametrize("host", OWN)
def test_own_names(host: str) -> None:
    assert is_own(host, ())
    assert not is_named(host, ())


@pytest.mark.parametrize("host", OTHERS)
def test_names_of_others(host: str) -> None:
    assert not is_own(host, ())


@pytest.fixture(scope="module")
def writes(client: TestClient) -> list[tuple[str, str]]:
    """Every method and path that changes something, as the service's own description has them."""
    paths = client.get("/openapi.json").json()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods if method != "get"]
    return [(method, path) for method, path in found if not path.startswith(QUERIES)]


QUERIES = ("/search/", "/explain/", "/keywords", "/embed", "/session")
PATH = {"{name}": "mine", "{id}": "x", "{file}": "x.snapshot", "{collection}": "mine"}


@pytest.fixture
def own(make_client: MakeClient) -> Iterator[TestClient]:
    with make_client(allowed_hosts=("search.example",)) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000", "Host": "127.0.0.1:8000"},
        {"Origin": "http://evil.example:8000", "Host": "evil.example:8000"},  # its name made to be ours
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:8000", "Host": "127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_origin_changes_nothing(
    own: TestClient, writes: list[tuple[str, str]], headers: dict[str, str]
) -> None:
    assert len(writes) >= 8
    for method, path in writes:
        for name, value in PATH.items():
            path = path.replace(name, value)
        assert_problem(own.request(method, path, headers=headers), 403, "foreign_origin")
    assert "mine" not in own.get("/collections").text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:8000", "Host": "127.0.0.1:8000"},
        {"Origin": "http://localhost:8000", "Host": "localhost:8000", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://search.example", "Host": "search.example"},
        {"Origin": "https://search.example", "Host": "127.0.0.1:8000"},  # behind a proxy
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_programs_and_the_service_s_own_page_may(own: TestClient, headers: dict[str, str]) -> None:
    assert own.put("/collections/mine", headers=headers).status_code == 201
    assert own.delete("/collections/mine", headers=headers).status_code == 204
